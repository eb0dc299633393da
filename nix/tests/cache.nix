# A cache host makes its key, and a second machine fetches a path that it trusts by that key.
{ self }:
{ pkgs, ... }:
{
  name = "homelab-deploy-cache";

  nodes = {
    cache = {
      imports = [ self.nixosModules.default ];
      virtualisation.writableStore = true;
      nix.settings.substituters = pkgs.lib.mkForce [ ];
      services.homelab-deploy.cacheHost = {
        enable = true;
        openFirewall = true;
        # The test's own disk is no volume for a store.
        store.minFreeGiB = 0;
      };
    };
    client = {
      virtualisation.writableStore = true;
      nix.settings.substituters = pkgs.lib.mkForce [ ];
    };
  };

  testScript = ''
    start_all()
    cache.wait_for_unit("homelab-deploy-cache-key.service")
    cache.wait_until_succeeds("curl --fail --silent http://127.0.0.1:5000/nix-cache-info | grep 'Priority: 30'")

    key = cache.succeed("cat /var/lib/homelab-deploy-cache/public-key").strip()
    assert key.startswith("cache-1:"), key
    cache.succeed("journalctl --unit homelab-deploy-cache-key | grep -F trusted-public-keys")
    assert cache.succeed("stat --format %a /var/lib/homelab-deploy-cache/signing-key").strip() == "600"

    cache.succeed("echo served > /tmp/file")
    path = cache.succeed("nix-store --add /tmp/file").strip()

    fetch = f"nix-store --realise {path} --option substituters http://cache:5000"
    client.wait_for_unit("multi-user.target")
    with subtest("without the key nothing is taken"):
        client.fail(f"{fetch} --option trusted-public-keys other-1:{'A' * 43}=")
    with subtest("with it the path is"):
        client.succeed(f"{fetch} --option trusted-public-keys {key} --option narinfo-cache-negative-ttl 0")
        client.succeed(f"grep served {path}")

    with subtest("the key stays the same"):
        cache.succeed("systemctl restart homelab-deploy-cache-key.service")
        assert cache.succeed("cat /var/lib/homelab-deploy-cache/public-key").strip() == key
  '';
}
