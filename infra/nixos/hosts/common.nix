# Every host: fetches from the cache what the builder has built, and activates it when somebody who may has ordered it.
{ ... }:
{
  nix.settings = {
    substituters = [ "http://nix-cache01.lan:5000" ];
    # What nix-cache01 said at its first boot: journalctl -u homelab-deploy-cache-key
    trusted-public-keys = [ "nix-cache01-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" ];
    # A host that asks a minute before the build is done must not remember for an hour that there is nothing.
    narinfo-cache-negative-ttl = 0;
  };

  homelab.deploy.enable = true;
  services.homelab-deploy.listener = {
    # Each host makes its own key for NATS at its first start, and tells the public half in its log: that goes into
    # infra/nats/users.nix.
    nats.servers = [ "tls://nats.lan:4222" ];
    repo = "nixos-servers";

    # For the alerts of infra/prometheus.
    metrics = {
      enable = true;
      address = "[::]";
      openFirewall = true;
    };

    # Examples: nobody has their secret halves. Make yours with `homelab-deploy keys create FILE`.
    trustedKeys.kai = {
      key = "ADZRDRAQIAWXQ5YP75YLKLZUGC5IQCQKIIQAI7TE7GKKD6ZDKEK4YDEP";
      may = [
        "deploy"
        "rollback"
        "reboot"
        "downgrade"
        "drift"
      ];
    };
    # What ns1 signs rollouts with: services.homelab-deploy.deployer.
    trustedKeys.deployer.key = "ADGQUQ47HWOBD7OQHMYOXBRARBH7VUTAF7DZJDPS3NG3HM3GU26SOPCF";
    trustedBuilders = {
      nix-cache01.key = "AAUFONYDCMOADJ2IVF27LYXEEFJT2ITTGOHSSNIHWFUAU3HTAAQY55NC";
      # Kept with the cache's signing key, for the day on which nix-cache01 is lost.
      spare.key = "AA4W2N2LNKBM5L7WXSYY5TLG5TDJZ6QORZP3BSWAXJU25Y6KS67QIJ4N";
    };
  };

  # With a new system that hangs, the machine resets itself and boots the old one.
  systemd.watchdog.runtimeTime = "30s";
}
