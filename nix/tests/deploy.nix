# A host tries a system, proves that it works and can be reached, and only then makes it permanent: a good one, one with a
# broken unit, one that cannot be reached, one whose power is cut while it is tried, and one that needs a reboot. The
# systems are specialisations, so that nothing has to be built or fetched here; NATS, systemd-boot and switch-to-configuration
# are the real ones. Root orders by hand, and the listener confirms over NATS.
{ self }:
{ pkgs, ... }:
let
  # Nobody has the secret halves.
  anyKey = "ADZRDRAQIAWXQ5YP75YLKLZUGC5IQCQKIIQAI7TE7GKKD6ZDKEK4YDEP";
  otherKey = "AAUFONYDCMOADJ2IVF27LYXEEFJT2ITTGOHSSNIHWFUAU3HTAAQY55NC";
  # What lies on the machine's disk has no signatures. Made for this test, and of no use elsewhere.
  cacheKey = {
    public = "deploy-test-1:eL6v1j69mSyrgs0dxoGYGy1ZvKTg1NfaRm9ls5/BYdQ=";
    secret = "deploy-test-1:IgAGkEmUdgl7WZrvvc6YTX91rOtlz0CBeIU9MpZry694vq/WPr2ZLKuCzR3GgZgbLVm8pODU19pGb2Wzn8Fh1A==";
  };
in
{
  name = "homelab-deploy-deploy";

  nodes.machine =
    { lib, pkgs, ... }:
    {
      imports = [ self.nixosModules.default ];

      virtualisation = {
        memorySize = 2048;
        useBootLoader = true;
        useEFIBoot = true;
      };
      boot.loader.systemd-boot.enable = true;
      boot.loader.timeout = 0;

      nix.settings.substituters = lib.mkForce [ ];
      networking.hostName = "web01";
      services.nats = {
        enable = true;
        jetstream = true;
      };
      services.homelab-deploy.listener = {
        enable = true;
        repo = "nixos-servers";
        nats.servers = [ "nats://127.0.0.1:4222" ];
        trustedKeys.kai.key = anyKey;
        trustedBuilders.nix-cache01.key = otherKey;
        trustedCacheKeys = [ cacheKey.public ];
        healthChecks.nats.tcp = "127.0.0.1:4222";
        timeouts = {
          settle = 3;
          confirm = 30;
          hold = 30;
        };
      };

      specialisation = {
        good.configuration.environment.etc."which".text = "good";
        broken.configuration.systemd.services.broken = {
          wantedBy = [ "multi-user.target" ];
          serviceConfig = {
            ExecStart = "${pkgs.coreutils}/bin/false";
            Restart = "always";
            RestartSec = 1;
          };
        };
        deaf.configuration.services.homelab-deploy.listener.nats.servers = lib.mkForce [ "nats://127.0.0.1:4223" ];
        # Stays in its checks until the power is cut.
        slow.configuration.services.homelab-deploy.listener.healthChecks.never = {
          tcp = "127.0.0.1:9";
          timeout = 3600;
        };
        # The switch refuses with 100: only a boot can bring it.
        staged.configuration.system.extraSystemBuilderCmds = ''
          echo -n "systemd 99" > $out/init-interface-version
        '';
      };
    };

  testScript =
    { nodes, ... }:
    let
      systemOf = name: nodes.machine.specialisation.${name}.configuration.system.build.toplevel;
    in
    ''
      import json

      systems = {
          "good": "${systemOf "good"}",
          "broken": "${systemOf "broken"}",
          "deaf": "${systemOf "deaf"}",
          "slow": "${systemOf "slow"}",
          "staged": "${systemOf "staged"}",
      }

      def status():
          return json.loads(machine.succeed("homelab-deploy host status --json"))

      def running():
          return machine.succeed("readlink /run/current-system").strip()

      def permanent():
          return machine.succeed("readlink -f /nix/var/nix/profiles/system").strip()

      def apply(name):
          code, output = machine.execute(f"homelab-deploy host apply --without-statement {systems[name]} 2>&1", timeout=600)
          machine.log(output)
          return code, output

      def wait_for_listener():
          machine.wait_for_unit("multi-user.target")
          machine.wait_for_unit("nats.service")
          machine.wait_for_open_port(4222)
          machine.wait_for_unit("homelab-deploy-listener.service")

      wait_for_listener()
      machine.succeed("homelab-deploy --server nats://127.0.0.1:4222 nats setup --scale 0.01")

      machine.succeed("umask 077; echo '${cacheKey.secret}' > /root/cache-key")
      machine.succeed(
          "nix --extra-experimental-features nix-command store sign --recursive --key-file /root/cache-key "
          + " ".join(systems.values())
      )

      with subtest("the parts are confined, and reach only what they must"):
          machine.succeed("systemd-analyze security --threshold=20 homelab-deploy-listener.service")
          assert machine.succeed("stat --format '%a %U %G' /run/homelab-deploy/activate.sock").split() == [
              "660", "root", "homelab-deploy-listener",
          ]
          assert machine.succeed("stat --format '%a %U %G' /var/lib/homelab-deploy-host").split() == [
              "2750", "root", "homelab-deploy-listener",
          ]

      with subtest("what works becomes permanent"):
          code, _ = apply("good")
          assert code == 0, f"exit code {code}"
          assert running() == systems["good"] == permanent(), (running(), permanent())
          assert status()["bootDefault"] == systems["good"], status()
          machine.succeed("runuser -u homelab-deploy-listener -- cat /var/lib/homelab-deploy-host/journal > /dev/null")

      with subtest("a broken unit undoes it"):
          code, output = apply("broken")
          assert code == 1 and "UNHEALTHY" in output, (code, output)
          assert running() == systems["good"] == permanent()
          machine.succeed("systemctl is-active homelab-deploy-listener.service")

      with subtest("so does a system that cannot be reached"):
          code, output = apply("deaf")
          assert code != 0 and "rolled-back" in output, (code, output)
          assert running() == systems["good"] == permanent()

      with subtest("a power cut while it is tried boots the old system"):
          machine.succeed(f"systemd-run homelab-deploy host apply --without-statement {systems['slow']}")
          machine.wait_until_succeeds(f"test $(readlink /run/current-system) = {systems['slow']}", timeout=300)
          machine.wait_until_succeeds("test $(homelab-deploy host status --json | grep -c checking) -gt 0", timeout=60)
          machine.crash()
          machine.start()
          wait_for_listener()
          assert running() == systems["good"] == permanent()
          machine.wait_until_succeeds("homelab-deploy host status --json | grep -q INTERRUPTED", timeout=120)

      with subtest("what only a boot can bring waits for it, and is completed after it"):
          machine.succeed(f"systemd-run homelab-deploy host apply --without-statement {systems['staged']}")
          machine.wait_until_succeeds("homelab-deploy host status --json | grep -q staged", timeout=120)
          assert running() == systems["good"], running()
          assert status()["bootDefault"] == systems["staged"], status()
          machine.shutdown()
          machine.start()
          wait_for_listener()
          assert running() == systems["staged"], running()
          machine.wait_until_succeeds(
              "homelab-deploy host status --json | grep -q completed && ! homelab-deploy host status --json | grep -q staged",
              timeout=300,
          )
    '';
}
