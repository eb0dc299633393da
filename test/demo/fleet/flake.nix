# A home lab without nixpkgs: hosts that share pretend packages and build in seconds, with any Nix.
{
  description = "The hosts of a home lab";

  outputs = { self }:
    let
      packages = import ./packages.nix { system = "x86_64-linux"; };
      inherit (packages) base derive package;

      # What a service of a host is configured with. It is checked when it is built, as `nginx -t` does.
      configuration = host: { services, upstream ? "http://localhost", motd ? "" }: derive {
        name = "etc-${host}";
        inherit services upstream motd;
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
          mkdir $out
          echo "proxy_pass $upstream;" > $out/nginx.conf
          echo "$motd" > $out/motd
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
          '';
        };
      };
    in
    {
      nixosConfigurations = builtins.mapAttrs nixos (import ./hosts.nix { inherit packages; });
    };
}
