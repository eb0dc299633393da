# services.homelab-deploy.natsServer: nats-server with the configuration that `homelab-deploy nats config` prints for these
# users, alone or as one node of a cluster.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkIf mkOption types;
  cfg = config.services.homelab-deploy.natsServer;
  option = "services.homelab-deploy.natsServer";
  common = import ./settings.nix { inherit lib pkgs; };

  credentials = "/run/credentials/nats.service";
  arguments = import ./nats-arguments.nix {
    inherit (cfg)
      users
      listen
      maxStoreGiB
      domain
      monitoring
      cluster
      ;
    store = "/var/lib/nats/jetstream";
    serverVersion = cfg.natsPackage.version;
    tls =
      if cfg.tls == null then
        null
      else
        {
          cert = "${credentials}/cert.pem";
          key = "${credentials}/key.pem";
          ca = if cfg.tls.caFile == null then null else "${credentials}/ca.pem";
        };
  };
  configFile = pkgs.runCommand "nats.conf" { preferLocalBuild = true; } ''
    ${lib.getExe cfg.package} nats config ${lib.escapeShellArgs arguments} > $out
  '';

  portOf = address: lib.toInt (lib.last (lib.splitString ":" address));
  isLoopback = address: builtins.match "(localhost|127\\.[0-9.]+|\\[::1]):[0-9]+" address != null;
  addresses = [ cfg.cluster.listen ] ++ cfg.cluster.routes;

  key = types.strMatching "U[A-Z2-7]{55}";
  address = types.strMatching "(\\[[0-9A-Fa-f:.]+]|[A-Za-z0-9._-]+):[0-9]{1,5}";
  name = types.strMatching "[A-Za-z0-9_-]{1,64}";
  keys =
    who:
    mkOption {
      type = types.attrsOf key;
      default = { };
      description = "Public keys of ${who}, by name.";
    };
in
{
  options.services.homelab-deploy.natsServer = {
    enable = lib.mkEnableOption "nats-server with the accounts, users and rights that homelab-deploy needs";

    package = mkOption {
      type = types.package;
      default = config.services.homelab-deploy.package;
      defaultText = lib.literalExpression "config.services.homelab-deploy.package";
      description = "The package of homelab-deploy, which prints the configuration.";
    };

    natsPackage = mkOption {
      type = types.package;
      default = pkgs.nats-server;
      defaultText = lib.literalExpression "pkgs.nats-server";
      description = "The package of nats-server.";
    };

    listen = mkOption {
      type = address;
      default = "127.0.0.1:4222";
      example = "[::]:4222";
      description = "Address and port for clients.";
    };

    users = {
      admin = mkOption {
        type = key;
        description = "Public key of the admin, who creates the streams.";
      };
      operators = keys "people";
      ci = keys "CI jobs that ask for builds";
      updaters = keys "what runs `update`";
      dashboards = keys "dashboards";
      deployers = keys "deployers";
      builders = keys "builders";
      listeners = mkOption {
        type = types.attrsOf (types.attrsOf key);
        default = { };
        description = "Public keys of the hosts that are deployed to, by repo and host.";
      };
    };

    maxStoreGiB = mkOption {
      type = types.ints.positive;
      default = 10;
      description = "How much of the disk JetStream may use, in GiB.";
    };

    domain = mkOption {
      type = types.nullOr name;
      default = null;
      description = "JetStream domain, for clients and builders on leaf nodes of this server.";
    };

    monitoring = mkOption {
      type = types.nullOr address;
      default = null;
      example = "127.0.0.1:8222";
      description = "Address of the monitoring pages, which ask for no password.";
    };

    tls = mkOption {
      type = types.nullOr (
        types.submodule {
          options = {
            certFile = mkOption {
              type = common.secretPath;
              description = "The server's certificate. In a cluster it must be valid for servers and for clients.";
            };
            keyFile = mkOption {
              type = common.secretPath;
              description = "The key of that certificate.";
            };
            caFile = mkOption {
              type = types.nullOr common.secretPath;
              default = null;
              description = "The authority that has signed the certificates of all nodes of a cluster.";
            };
          };
        }
      );
      default = null;
      description = "With it, TLS is required.";
    };

    cluster = mkOption {
      type = types.nullOr (
        types.submodule {
          options = {
            name = mkOption {
              type = name;
              example = "homelab";
              description = "Name of the cluster, the same on all nodes.";
            };
            node = mkOption {
              type = name;
              default = config.networking.hostName;
              defaultText = lib.literalExpression "config.networking.hostName";
              description = "Name of this node, another one on each.";
            };
            listen = mkOption {
              type = address;
              default = "127.0.0.1:6222";
              example = "10.0.0.1:6222";
              description = "Address and port for the other nodes.";
            };
            routes = mkOption {
              type = types.nonEmptyListOf address;
              example = [
                "nats1.lan:6222"
                "nats2.lan:6222"
                "nats3.lan:6222"
              ];
              description = "Addresses of the nodes; its own may be among them, so that all have the same.";
            };
            advertise = mkOption {
              type = types.nullOr (types.strMatching "\\[[0-9A-Fa-f:.]+]|[A-Za-z0-9._-]+");
              default = null;
              example = "nats1.lan";
              description = ''
                Name that this node's certificate is for. The nodes tell it to each other and to clients, which otherwise learn
                the addresses of all network interfaces.
              '';
            };
          };
        }
      );
      default = null;
      description = ''
        Makes the server one node of a cluster. Run `homelab-deploy nats setup` once all of three run, and name
        all of them in `nats.servers` of builders, hosts and clients.
      '';
    };

    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = "Whether to open the port for clients in the firewall, and that for the other nodes.";
    };
  };

  config = mkIf cfg.enable {
    assertions = [
      {
        assertion =
          cfg.cluster != null && !(lib.all isLoopback addresses) -> cfg.tls != null && cfg.tls.caFile != null;
        message = "${option}.cluster has routes between machines, where whoever reaches the port is a server of the cluster: set ${option}.tls with caFile.";
      }
      {
        assertion = cfg.monitoring != null -> isLoopback cfg.monitoring;
        message = "${option}.monitoring is ${toString cfg.monitoring}, where everybody could read who is connected: use 127.0.0.1.";
      }
      {
        assertion = cfg.openFirewall -> !isLoopback cfg.listen;
        message = "${option}.openFirewall is of no use while ${option}.listen is ${cfg.listen}.";
      }
    ];

    services.nats = {
      enable = true;
      jetstream = true;
    };

    systemd.services.nats.serviceConfig = {
      # The module's own file comes from its `settings`, which cannot say all of this.
      ExecStart = lib.mkForce "${cfg.natsPackage}/bin/nats-server -c ${configFile}";
      LoadCredential = lib.optionals (cfg.tls != null) (
        [
          "cert.pem:${cfg.tls.certFile}"
          "key.pem:${cfg.tls.keyFile}"
        ]
        ++ lib.optional (cfg.tls.caFile != null) "ca.pem:${cfg.tls.caFile}"
      );
    };

    networking.firewall.allowedTCPPorts = lib.optionals cfg.openFirewall (
      [ (portOf cfg.listen) ]
      ++ lib.optional (cfg.cluster != null && !isLoopback cfg.cluster.listen) (portOf cfg.cluster.listen)
    );
  };
}
