# The [Service] section of the builder: plain data.
{
  execStart,
  loadCredential,
  stateDirectory,
  stopSeconds,
}:
import ./hardening.nix
// {
  Type = "exec";
  ExecStart = execStart;
  User = "homelab-deploy";
  Group = "homelab-deploy";
  StateDirectory = stateDirectory;
  StateDirectoryMode = "0700";
  LoadCredential = loadCredential;
  # An evaluator that runs out of memory fails its hosts, and not the builder.
  OOMPolicy = "continue";
  LimitNOFILE = 65536;
  # A stop is first the builder's own business: it ends what it started, and remembers what goes on at the next start.
  KillMode = "mixed";
  TimeoutStopSec = stopSeconds + 30;
  Restart = "always";
  RestartSec = 10;
  # A wrong configuration does not become right by itself.
  RestartPreventExitStatus = "2";
}
