# SPDX-FileCopyrightText: The addon-sync authors
# SPDX-License-Identifier: MIT

<#
.SYNOPSIS
Says whether the sample addon is up.
#>
kubectl rollout status deployment/hello --namespace hello --timeout 5s 2>&1 | Out-Null
$isRunning = $LASTEXITCODE -eq 0

@{
    Name    = 'IsHelloRunning'
    Value   = $isRunning
    Okay    = $isRunning
    Message = if ($isRunning) { 'The page is being served' } else { "The page is not being served. Run 'k2s addons enable hello'" }
}
