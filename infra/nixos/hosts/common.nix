# Every host: fetches from the cache what the builder has built.
{ ... }:
{
  nix.settings = {
    substituters = [ "http://nix-cache01.lan:5000" ];
    # What nix-cache01 said at its first boot: journalctl -u homelab-deploy-cache-key
    trusted-public-keys = [ "nix-cache01-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" ];
    # A host that asks a minute before the build is done must not remember for an hour that there is nothing.
    narinfo-cache-negative-ttl = 0;
  };
}
