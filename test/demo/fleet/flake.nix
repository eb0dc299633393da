# A home lab without nixpkgs: hosts that share pretend packages and build in seconds, with any Nix.
{
  description = "The hosts of a home lab";

  # Stands in for nixpkgs.
  inputs.packages = { url = "PACKAGES"; flake = false; };

  outputs = { self, packages }: let source = packages; in
    let
      packages = import "${source}/packages.nix" { system = "x86_64-linux"; };
      inherit (packages) base derive package;

      # Whom the hosts of this repo obey; the NixOS module of homelab-deploy writes it in a real one.
      policy = builtins.fromJSON (builtins.readFile ./policy.json);

      # Pretends to ask nginx of the pretended host for its page, which comes from an application behind it.
      pageCheck = application: derive {
        name = "check-page";
        script = ''
          cat > $out <<'END'
          #!/bin/sh
          if [ -e "$PRETENDED_HOST/run/current-system/etc/crashes" ]; then
            echo "nginx: worker process exited on signal 11" >&2
            exit 1
          fi
          read -r _ upstream < "$PRETENDED_HOST/run/current-system/etc/nginx.conf"
          [ "$upstream" = "${application};" ] && exit 0
          echo "502 Bad Gateway: nothing answers at ''${upstream%;}" >&2
          exit 1
          END
          chmod +x $out
        '';
      };

      hostPolicy = host: { application ? null, wave ? null, ... }: builtins.toJSON (policy // {
        inherit host;
        ${if wave == null then null else "wave"} = wave;
        healthChecks = if application == null then [ ] else [
          { name = "page"; exec = [ "${pageCheck application}" ]; timeout = 3; every = 0.5; }
        ];
      });

      # What a service of a host is configured with. It is checked when it is built, as `nginx -t` does.
      configuration = host: settings@{ services, upstream ? "http://localhost", motd ? "", ... }: derive {
        name = "etc-${host}";
        inherit services upstream motd;
        policy = hostPolicy host settings;
        units = map (service: "${(builtins.parseDrvName service.name).name}.service") services;
        script = ''
          phase checkPhase
          say "generating the configuration of ${host}"
          say "checking upstream $upstream"
          case $upstream in
            http://* | https://*) ;;
            *)
              say "nginx: [emerg] invalid URL prefix in $out/nginx.conf:12" >&2
              say "nginx: configuration file $out/nginx.conf test failed" >&2
              exit 1 ;;
          esac
          mkdir -p $out/homelab-deploy $out/systemd/system
          echo "proxy_pass $upstream;" > $out/nginx.conf
          for service in $services; do
            if [ -e $service/crashes ]; then : > $out/crashes; fi
          done
          echo "$motd" > $out/motd
          printf %s "$policy" > $out/homelab-deploy/host.json
          for unit in $units homelab-deploy-listener.service; do
            echo "[Service]" > $out/systemd/system/$unit
          done
        '';
      };

      nixos = host: settings: {
        config.system.build.toplevel = derive {
          name = "nixos-system-${host}-26.05";
          inherit base;
          inherit (settings) services;
          etc = configuration host settings;
          script = ''
            phase installPhase
            say "setting up /etc of ${host}"
            mkdir -p $out/bin
            ln -s $etc $out/etc
            echo 26.05 > $out/nixos-version
            echo $base $services > $out/packages
            echo $system > $out/system
            cat ${./switch-to-configuration.sh} > $out/bin/switch-to-configuration
            chmod +x $out/bin/switch-to-configuration
          '';
        };
      };
    in
    {
      nixosConfigurations = builtins.mapAttrs nixos (import ./hosts.nix { inherit packages; });
    };
}
