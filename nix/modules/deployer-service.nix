# The [Service] section of the deployer: plain data. It reads and orders over NATS, and needs no store.
{
  execStart,
  loadCredential,
}:
import ./hardening.nix
// {
  Type = "notify";
  # systemd-notify says it, and is not the main process.
  NotifyAccess = "all";
  ExecStart = execStart;
  DynamicUser = true;
  # News that could not be told yet. All else is on NATS.
  StateDirectory = "homelab-deploy-deployer";
  StateDirectoryMode = "0700";
  LoadCredential = loadCredential;
  ProcSubset = "pid";
  InaccessiblePaths = [ "-/nix/var" ];
  Restart = "always";
  RestartSec = 5;
  # A wrong configuration does not become right by itself.
  RestartPreventExitStatus = "2";
}
