# A host that is deployed to, with every option of its policy.
{ ... }:
{
  homelab.deploy.enable = true;
  homelab.host = {
    tier = "test";
    priority = "low";
    role = "dns";
    labels.room = "attic";
  };

  networking.hostName = "web01";
  nix.settings = {
    substituters = [ "http://nix-cache01.lan:5000" ];
    extra-trusted-public-keys = "nix-cache01-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  };

  services.homelab-deploy.listener = {
    repo = "nixos-servers";
    nats = {
      servers = [ "tls://nats.lan:4222" ];
      nkeyFile = "/run/secrets/listener.nk";
      tls.caFile = "/etc/ssl/internal.pem";
    };
    trustedKeys = {
      kai = {
        key = "ADO7LPRKHNBGTPG4ZWI3LXIGHZPDIJSDBHB3OXKJ4QUHVJKJ4VQ3QEZM";
        may = [
          "deploy"
          "rollback"
          "reboot"
          "downgrade"
          "drift"
          "remove-listener"
        ];
        notAfter = "2027-01-31T00:00:00Z";
      };
      deployer = {
        key = "ACZ3BXVSLR2GJBX5MCN7IFZXV45J4OVN2WZ3A3VJQ4HMLXJ5FSNCTF2Z";
        tiers = [ "test" ];
      };
    };
    trustedBuilders.nix-cache01.key = "ABJHLOVDXNVQ3LNEFNJTZR6QZ5ZO3WBG6XO6QBZDGBOLSYYTT3NSUOLN";
    allowedBranches = [
      "master"
      "release/26.05"
    ];
    wave = 0;
    serves = [ "dns" ];
    ignoreFailedUnits = [ "fwupd-refresh.service" ];
    healthChecks = {
      nginx.unit = "nginx.service";
      page = {
        http = "http://127.0.0.1/";
        critical = false;
        timeout = 90;
      };
      dns.tcp = "127.0.0.1:53";
      job.exec = [
        "/run/current-system/sw/bin/true"
        "--now"
      ];
    };
    hold = "a disk is being replaced";
  };
}
