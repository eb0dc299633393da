# The [Service] section of what makes the cache's signing key and tells its public half: plain data. It runs as root,
# because the key is root's, and needs neither the network nor the Nix daemon.
{
  execStart,
  loadCredential,
  stateDirectory,
}:
import ./hardening.nix
// {
  Type = "oneshot";
  RemainAfterExit = true;
  ExecStart = execStart;
  LoadCredential = loadCredential;
  StateDirectory = stateDirectory;
  # Everybody may read the public half in it; the secret one has a mode of its own.
  StateDirectoryMode = "0755";
  RuntimeDirectory = "issue.d";
  RuntimeDirectoryPreserve = true;
  PrivateUsers = false;
  PrivateNetwork = true;
  RestrictAddressFamilies = [ "AF_UNIX" ];
}
