# SPDX-FileCopyrightText: The addon-sync authors
# SPDX-License-Identifier: MIT
<#
.SYNOPSIS
Runs addon-sync for the Jobs of artifacts that were exported before it.
.DESCRIPTION
Those Jobs call this file with the parameters of the script that addon-sync replaces. Settings are handed on by
environment variables: no value is quoted, and none can be taken for a flag. Windows PowerShell 5.1; ASCII only.
#>
[CmdletBinding(PositionalBinding = $false)]
param(
    [Parameter(Mandatory = $true)] [string] $RegistryUrl,
    [Parameter(Mandatory = $true)] [string] $K2sInstallDir,
    [Parameter(Mandatory = $false)] [string] $OrasExe = '',
    [Parameter(Mandatory = $false)] [string] $Insecure = 'false',
    [Parameter(Mandatory = $false)] [string] $CheckDigest = 'false',
    [Parameter(Mandatory = $false)] [string] $AddonName = '',
    [Parameter(Mandatory = $false)] [string] $ApplyIfEnabled = 'false',
    [Parameter(ValueFromRemainingArguments = $true)] [string[]] $Unknown = @()
)
$ErrorActionPreference = 'Stop'

function Write-SyncLog([string] $Mark, [string] $Message) {
    # Write-Host: standard output is the log of a HostProcess container.
    Write-Host "$(Get-Date -Format 'yyyy-MM-dd HH:mm:ss') [AddonSync]$Mark $Message"
}

$yes = 'true', '$true', '1'
if ($yes -contains $ApplyIfEnabled) {
    Write-SyncLog '[WARN]' 'ApplyIfEnabled: a sync starts nothing. Disable and enable the addon to apply its new version'
}
if ($Unknown.Count -gt 0) {
    Write-SyncLog '[WARN]' "Parameters that addon-sync does not know are left out: $($Unknown -join ' ')"
}

$folder = Join-Path $K2sInstallDir 'bin\addon-sync'
$places = 'addon-sync.exe', 'Scripts\addon-sync.exe' | ForEach-Object { Join-Path $folder $_ }
$program = $places | Where-Object { Test-Path -LiteralPath $_ -PathType Leaf } | Select-Object -First 1
if (-not $program) {
    Write-SyncLog '[ERROR]' "addon-sync is not installed in '$folder': unpack addon-sync-<version>-windows-amd64.zip there"
    exit 2
}
if ($AddonName -cnotmatch '\A([a-z0-9][a-z0-9._/-]*)?\z') {
    Write-SyncLog '[ERROR]' "'$AddonName' is no name of an addon"
    exit 2
}

$env:REGISTRY_URL = $RegistryUrl
$env:K2S_INSTALL_DIR = $K2sInstallDir
$env:INSECURE = $Insecure

$check = $yes -contains $CheckDigest
$words = @('sync')
if ($AddonName -eq '' -and $check) { $words = @('poll') }
if ($AddonName -ne '' -and $check) { $words += '--check-digest' }
if ($AddonName -ne '') { $words += $AddonName }

Write-SyncLog '' "Running $program $($words -join ' ')"
& $program @words
exit $LASTEXITCODE
