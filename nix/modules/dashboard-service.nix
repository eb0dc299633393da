# The [Service] section of the dashboard: plain data. It only reads from NATS: no store, no state, no user of its own.
{
  execStart,
  loadCredential,
}:
import ./hardening.nix
// {
  Type = "exec";
  ExecStart = execStart;
  DynamicUser = true;
  LoadCredential = loadCredential;
  ProcSubset = "pid";
  InaccessiblePaths = [ "-/nix/var" ];
  LimitNOFILE = 8192;
  Restart = "always";
  RestartSec = 5;
  # A wrong configuration does not become right by itself.
  RestartPreventExitStatus = "2";
}
