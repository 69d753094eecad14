# SPDX-FileCopyrightText: The addon-sync authors
# SPDX-License-Identifier: MIT

<#
.SYNOPSIS
Enables the sample addon.
#>
Param(
    [Parameter(Mandatory = $false, HelpMessage = 'The word that the page shows')]
    [string] $Greeting = ''
)
$ErrorActionPreference = 'Stop'

if ($Greeting -eq '') {
    $properties = Get-Content -Raw (Join-Path $PSScriptRoot 'config\greeting.properties') | ConvertFrom-StringData
    $Greeting = $properties.greeting
}

kubectl apply --kustomize (Join-Path $PSScriptRoot 'manifests')
if ($LASTEXITCODE -ne 0) { throw 'the manifests could not be applied' }

kubectl create configmap hello-page --namespace hello --from-literal=index.html=$Greeting --dry-run=client --output yaml |
    kubectl apply --filename -
if ($LASTEXITCODE -ne 0) { throw 'the page could not be applied' }

kubectl rollout status deployment/hello --namespace hello --timeout 180s
