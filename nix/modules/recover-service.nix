# The [Service] section of the recovery at boot: plain data.
{ execStart, journalDirectory }:
import ./activator-service.nix { inherit execStart journalDirectory; }
// {
  Type = "oneshot";
  # Otherwise each switch would start it again, in the middle of the switch: multi-user.target wants it.
  RemainAfterExit = true;
  TimeoutStartSec = 120;
  # What keeps it from starting the activation may pass: a journal on a disk that is mounted late, a system bus that is not
  # up. Nothing else goes back from a switch that a power cut has left half done.
  Restart = "on-failure";
  RestartSec = 30;
}
