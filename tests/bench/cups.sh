#!/usr/bin/env bash
# cups.sh DIR PORT: the configuration of a cupsd with one raw queue named null that discards what it is sent.
# Start it by: cupsd -f -c DIR/cupsd.conf -s DIR/cups-files.conf
set -euo pipefail
mkdir -p "$1"
dir=$(readlink -f "$1")
mkdir -p "$dir/spool/tmp" "$dir/cache" "$dir/state" "$dir/log" "$dir/ppd"
cat >"$dir/cups-files.conf" <<CONF
ServerRoot $dir
RequestRoot $dir/spool
TempDir $dir/spool/tmp
CacheDir $dir/cache
StateDir $dir/state
AccessLog $dir/log/access
ErrorLog $dir/log/error
PageLog $dir/log/page
FileDevice yes
CONF
cat >"$dir/cupsd.conf" <<CONF
Listen 127.0.0.1:$2
LogLevel warn
Browsing off
MaxJobs 0
DefaultAuthType None
<Location />
  Order allow,deny
  Allow all
</Location>
<Policy default>
  <Limit All>
    Order allow,deny
    Allow all
  </Limit>
</Policy>
CONF
cat >"$dir/printers.conf" <<CONF
<Printer null>
Info null
DeviceURI file:///dev/null
State Idle
Accepting Yes
Shared Yes
JobSheets none none
</Printer>
CONF
