# The [Service] section of the activator, which systemd starts for each connection to its socket: plain data.
{ execStart, journalDirectory }:
import ./activator-service.nix { inherit execStart journalDirectory; }
// {
  StandardInput = "socket";
  StandardOutput = "socket";
  StandardError = "journal";
  # It reads for 5 s at most, and waits for an activation that ends for 5 s.
  RuntimeMaxSec = 60;
}
