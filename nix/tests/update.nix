# An update lands when it builds, and becomes a pull request on a real Gitea when it does not; neither fails the unit.
{ self }:
{ pkgs, ... }:
let
  inherit (pkgs.stdenv.hostPlatform) system;
  # An input whose only output is what the host is built of.
  input = pkgs.writeTextDir "flake.nix" ''
    { outputs = _: { script = "echo one > $out"; }; }
  '';
  fleet = pkgs.writeTextDir "flake.nix" ''
    {
      inputs.words.url = "git+https://localhost:3000/bot/words.git?ref=main";
      outputs = { words, ... }: {
        nixosConfigurations.alpha.config.system.build.toplevel = derivation {
          name = "nixos-system-alpha";
          system = "${system}";
          builder = "/bin/sh";
          args = [ "-c" words.script ];
        };
      };
    }
  '';
  certificate = pkgs.runCommand "certificate" { nativeBuildInputs = [ pkgs.openssl ]; } ''
    mkdir $out
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
      -keyout $out/key.pem -out $out/cert.pem
  '';
in
{
  name = "homelab-deploy-update";

  nodes.machine =
    { pkgs, ... }:
    {
      imports = [ self.nixosModules.default ];

      virtualisation = {
        memorySize = 3072;
        writableStore = true;
      };
      nix.settings = {
        substituters = [ ];
        experimental-features = [
          "nix-command"
          "flakes"
        ];
      };
      environment.systemPackages = [
        pkgs.git
        pkgs.jq
      ];

      security.pki.certificateFiles = [ "${certificate}/cert.pem" ];
      services.gitea = {
        enable = true;
        settings = {
          server = {
            PROTOCOL = "https";
            DOMAIN = "localhost";
            HTTP_PORT = 3000;
            CERT_FILE = "${certificate}/cert.pem";
            KEY_FILE = "${certificate}/key.pem";
          };
          service.DISABLE_REGISTRATION = true;
        };
      };
      services.homelab-deploy.update = {
        enable = true;
        builds = "local";
        settings.repos.fleet = {
          url = "https://localhost:3000/bot/fleet.git";
          branch = "main";
          credentials = {
            username = "bot";
            tokenFile = "/root/token";
          };
          update.forge = {
            url = "https://localhost:3000";
            owner = "bot";
            repository = "fleet";
            tokenFile = "/root/token";
          };
        };
      };
      # Once this test has filled Gitea.
      systemd.timers.homelab-deploy-update-fleet.wantedBy = pkgs.lib.mkForce [ ];
    };

  testScript = ''
    machine.wait_for_unit("gitea.service")
    machine.wait_for_open_port(3000)

    gitea = "sudo -u gitea GITEA_WORK_DIR=/var/lib/gitea ${pkgs.gitea}/bin/gitea"
    machine.succeed(f"{gitea} admin user create --username bot --password botbotbot --email bot@localhost --must-change-password=false")
    token = machine.succeed(
        f"{gitea} admin user generate-access-token --username bot --token-name update --raw"
        " --scopes write:repository,write:issue,read:user,write:user"
    ).strip().splitlines()[-1]
    machine.succeed(f"umask 077; echo {token} > /root/token")
    api = f"curl --fail --silent --header 'Authorization: token {token}' --header 'Content-Type: application/json' https://localhost:3000/api/v1"
    commit = "git -c user.name=test -c user.email=test@localhost commit --all --message"

    def push(name):
        machine.succeed(f"cd /tmp/{name} && git push https://bot:{token}@localhost:3000/bot/{name}.git HEAD:main")

    for name, source in [("words", "${input}"), ("fleet", "${fleet}")]:
        machine.succeed(
            f"{api}/user/repos --data '{{\"name\": \"{name}\", \"default_branch\": \"main\"}}'",
            f"git init --initial-branch main /tmp/{name}",
            f"install -m 644 {source}/flake.nix /tmp/{name}/",
            f"cd /tmp/{name} && git add flake.nix",
        )
        if name == "fleet":
            machine.succeed("cd /tmp/fleet && nix flake lock && git add flake.lock")
        machine.succeed(f"cd /tmp/{name} && {commit} First")
        push(name)

    def head():
        return machine.succeed(f"{api}/repos/bot/fleet/branches/main | jq --raw-output .commit.id").strip()

    def change_words(script):
        flake = "{ outputs = _: { script = \"" + script + "\"; }; }"
        machine.succeed(f"cd /tmp/words && echo '{flake}' > flake.nix && {commit} Change")
        push("words")

    with subtest("what builds lands"):
        before = head()
        change_words("echo two > $out")
        machine.succeed("systemctl start homelab-deploy-update-fleet.service")
        assert head() != before

    with subtest("what does not build is proposed, and that is no failure"):
        before = head()
        change_words("exit 1")
        machine.succeed("systemctl start homelab-deploy-update-fleet.service")
        assert head() == before
        open_requests = machine.succeed(f"{api}/repos/bot/fleet/pulls?state=open | jq length").strip()
        assert open_requests == "1", open_requests
        machine.fail("systemctl is-failed homelab-deploy-update-fleet.service")

    with subtest("a remote that is away is tried again, not proposed"):
        machine.succeed("systemctl stop gitea.service")
        machine.fail("systemctl start homelab-deploy-update-fleet.service")
        machine.succeed("test $(systemctl show --property ActiveState --value homelab-deploy-update-fleet.service) = activating")
  '';
}
