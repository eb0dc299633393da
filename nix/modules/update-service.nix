# The [Service] section of the update of one repo: plain data.
{
  execStart,
  loadCredential,
  stateDirectory,
}:
import ./hardening.nix
// {
  Type = "oneshot";
  ExecStart = execStart;
  User = "homelab-deploy-update";
  Group = "homelab-deploy-update";
  StateDirectory = stateDirectory;
  StateDirectoryMode = "0700";
  LoadCredential = loadCredential;
  KillMode = "mixed";
  # A proposal is already 0 (--proposal-succeeds). 143 is SIGTERM: somebody stopped it, and the next run continues.
  SuccessExitStatus = "143";
  # 3 means no verdict: retried while the run can still be resumed, and only then a failed unit. The rest does
  # not pass by itself: 1 a flake that cannot be updated, 2 a wrong configuration, 4 a refusal, 70 a bug.
  Restart = "on-failure";
  RestartSec = "30min";
  RestartPreventExitStatus = "1 2 4 70";
}
