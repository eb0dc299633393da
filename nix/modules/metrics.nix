# Where a daemon serves its metrics: the options, the address as the program takes it, and what is refused.
{ lib, port }:
let
  inherit (lib) mkOption types;

  isLoopback = address: lib.any (prefix: lib.hasPrefix prefix address) [
    "127."
    "localhost"
    "[::1"
    "::1"
  ];
in
{
  options = {
    enable = lib.mkEnableOption "metrics for Prometheus";
    address = mkOption {
      type = types.str;
      default = "127.0.0.1";
      example = "[::]";
      description = "Address on which metrics are served.";
    };
    port = mkOption {
      type = types.port;
      default = port;
      description = "The port of the metrics.";
    };
    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = "Whether to open the port in the firewall.";
    };
  };

  # IPv6 addresses stand in brackets before a port.
  listenOf =
    { address, port, ... }:
    let
      host = if lib.hasInfix ":" address && !lib.hasPrefix "[" address then "[${address}]" else address;
    in
    "${host}:${toString port}";

  assertionsOf = option: metrics: [
    {
      assertion = metrics.openFirewall -> metrics.enable;
      message = "${option}.metrics.openFirewall opens a port that nothing listens on: set ${option}.metrics.enable too.";
    }
    {
      assertion = metrics.openFirewall -> !(isLoopback metrics.address);
      message = "${option}.metrics.openFirewall is of no use while ${option}.metrics.address is ${metrics.address}: set that to \"[::]\" or an address of this host.";
    }
  ];
}
