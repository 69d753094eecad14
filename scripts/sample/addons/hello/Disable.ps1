# SPDX-FileCopyrightText: The addon-sync authors
# SPDX-License-Identifier: MIT

<#
.SYNOPSIS
Disables the sample addon and removes its namespace.
#>
$ErrorActionPreference = 'Stop'

kubectl delete --kustomize (Join-Path $PSScriptRoot 'manifests') --ignore-not-found
if ($LASTEXITCODE -ne 0) { throw 'the manifests could not be removed' }
