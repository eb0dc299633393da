# The [Service] section of the root part of a host, for the activator and the recovery at boot: plain data. It reads one
# message or the journal, puts an order where the activation finds it, and has systemd start the activation in a unit of its
# own, which none of this confines. Each line that is weaker than hardening.nix says why.
{ execStart, journalDirectory }:
import ./hardening.nix
// {
  ExecStart = execStart;
  # It is root for systemd, which starts the activation, and owns the journal.
  PrivateUsers = false;
  # Which program is at the other end of the socket: /proc/<pid>/exe of another user's process. Root needs no capability for
  # one that has PrivateUsers=, which systemd leaves out where the kernel has no user namespaces.
  CapabilityBoundingSet = "CAP_SYS_PTRACE";
  ProtectProc = "default";
  # Every message comes over the socket, and systemd, D-Bus and Nix's daemon are local sockets too.
  RestrictAddressFamilies = [ "AF_UNIX" ];
  IPAddressDeny = "any";
  PrivateNetwork = true;
  # Where orders wait for the activation. Kept when this process ends.
  RuntimeDirectory = "homelab-deploy/mail";
  RuntimeDirectoryMode = "0700";
  RuntimeDirectoryPreserve = true;
  ReadWritePaths = [ journalDirectory ];
}
