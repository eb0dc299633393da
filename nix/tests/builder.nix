# A builder builds what is asked for over a real NATS, and a switch does not end it.
{ self }:
{ pkgs, ... }:
{
  name = "homelab-deploy-builder";

  nodes.machine =
    { pkgs, ... }:
    {
      imports = [ self.nixosModules.default ];

      virtualisation = {
        memorySize = 2048;
        writableStore = true;
      };
      nix.settings.substituters = [ ];
      environment.systemPackages = [ pkgs.git ];

      services.nats = {
        enable = true;
        jetstream = true;
      };
      services.homelab-deploy.builder = {
        enable = true;
        nats.servers = [ "nats://127.0.0.1:4222" ];
        metrics.enable = true;
        settings.repos.fleet = {
          url = "file:///srv/fleet.git";
          branch = "main";
          pollSeconds = 0;
        };
      };
      systemd.services.homelab-deploy-builder.after = [ "nats.service" ];

      specialisation.renamed.configuration.services.homelab-deploy.builder.settings.builder.keepCommits = 5;
    };

  testScript = ''
    machine.wait_for_unit("nats.service")
    machine.wait_for_open_port(4222)
    machine.succeed(
        "git init --bare --initial-branch main /srv/fleet.git",
        "git init --initial-branch main /tmp/fleet",
        "cp ${import ./tiny-fleet.nix { inherit pkgs; }}/flake.nix /tmp/fleet/",
        "git -C /tmp/fleet add flake.nix",
        "git -C /tmp/fleet -c user.name=test -c user.email=test@localhost commit -m 'Two hosts'",
        "git -C /tmp/fleet push /srv/fleet.git main",
        "git config --system --add safe.directory '*'",
    )
    machine.wait_for_unit("homelab-deploy-builder.service")
    machine.wait_for_open_port(9480)

    deploy = "homelab-deploy --server nats://127.0.0.1:4222"

    with subtest("every host is built"):
        machine.wait_until_succeeds(f"{deploy} build --all --repo fleet --timeout 5m", timeout=600)
        machine.succeed("grep -q hello /nix/store/*-nixos-system-alpha")
        machine.succeed("curl --fail --silent http://127.0.0.1:9480/metrics | grep -q homelab_deploy_")

    with subtest("what does not build is a failure"):
        machine.succeed(
            "sed -i 's/beta = \"hello\"/beta = \"x; exit 1\"/' /tmp/fleet/flake.nix",
            "git -C /tmp/fleet -c user.name=test -c user.email=test@localhost commit --all -m 'Break one'",
            "git -C /tmp/fleet push /srv/fleet.git main",
        )
        status, _ = machine.execute(f"{deploy} build --all --repo fleet --timeout 5m")
        assert status == 1, f"exit code {status}"

    with subtest("it is sandboxed"):
        machine.succeed("systemd-analyze security --threshold=20 homelab-deploy-builder.service")
        machine.fail("grep trusted-users /etc/nix/nix.conf | grep -q homelab-deploy")

    with subtest("a switch leaves it running, and an idle one is renewed"):
        pid = machine.succeed("systemctl show --property MainPID --value homelab-deploy-builder.service").strip()
        machine.succeed("/run/current-system/specialisation/renamed/bin/switch-to-configuration test")
        machine.wait_until_succeeds(
            f"test $(systemctl show --property MainPID --value homelab-deploy-builder.service) != {pid}", timeout=120
        )
        machine.wait_until_succeeds(f"{deploy} build alpha --timeout 5m", timeout=300)
  '';
}
