# The [Service] section of the listener: plain data.
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
  User = "homelab-deploy-listener";
  Group = "homelab-deploy-listener";
  StateDirectory = "homelab-deploy-listener";
  StateDirectoryMode = "0700";
  LoadCredential = loadCredential;
  # A host without it is deaf, whatever it exited with.
  Restart = "always";
  RestartSec = 5;
}
