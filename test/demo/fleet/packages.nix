# Pretend packages: each prints the lines of its build, one every half second.
{ system }:
let
  # A derivation of a shell script that can `say` a line and name the `phase` that it is in.
  derive = { script, ... }@attributes: derivation (attributes // {
    inherit system;
    builder = "/bin/sh";
    # Where the tools are on Debian and most others, and on NixOS. The store of the demo has no sandbox.
    PATH = "/usr/bin:/bin:/run/current-system/sw/bin";
    args = [ "-c" ''
      set -e
      say() { echo "$1"; sleep 0.5; }
      phase() { printf '@nix {"action":"setPhase","phase":"%s"}\n' "$1" >&2; }
      ${script}
    '' ];
  });

  # A line that starts with "error:" ends the build. With one that starts with "warning:" the program crashes when it is used.
  package = name: version: lines:
    let
      startsWith = prefix: line: builtins.substring 0 (builtins.stringLength prefix) line == prefix;
      say = line: if startsWith "error:" line then "say '${line}'; exit 1" else "say '${line}'";
      crashes = builtins.any (startsWith "warning:") lines;
    in
    derive {
      name = "${name}-${version}";
      script = ''
        phase unpackPhase
        say "unpacking source archive ${name}-${version}.tar.gz"
        phase buildPhase
        ${builtins.concatStringsSep "\n" (map say lines)}
        phase installPhase
        mkdir $out
        echo ${version} > $out/version
        ${if crashes then ": > $out/crashes" else ""}
      '';
    };

  compile = names: map (name: "  CC      ${name}.o") names;
  packages = {
    linux = package "linux" "6.18.3"
      (compile [ "kernel/fork" "kernel/sched/core" "mm/mmap" "fs/namei" ] ++ [ "  LD      vmlinux" ]);
    systemd = package "systemd" "259" [ "[1/3] compiling src/core/manager.c" "[2/3] compiling src/journal/journald.c" "[3/3] linking systemd" ];
    openssh = package "openssh" "10.2p1" (compile [ "sshd" "auth2" ]);
    node-exporter = package "node-exporter" "1.10.2" [ "go: building ./collector" ];
    nginx = package "nginx" "1.29.3" (compile [ "src/core/nginx" "src/http/ngx_http" ]);
    postgresql = package "postgresql" "18.1" (compile [ "parser/gram" "optimizer/planner" "executor/execMain" ]);
    gitea = package "gitea" "1.25.2" [ "go: building ./modules/git" "go: building ./services/actions" "vite: built in 412ms" ];
    jellyfin = package "jellyfin" "10.11.3" [ "restoring packages" "Jellyfin.Server -> bin/Release" ];
    prometheus = package "prometheus" "3.7.3" [ "go: building ./promql" "go: building ./tsdb" ];
    grafana = package "grafana" "12.3.0" [ "go: building ./pkg/api" "webpack: compiled successfully" ];
    samba = package "samba" "4.23.3" (compile [ "smbd/server" "libsmb/clientgen" ]);
    unbound = package "unbound" "1.24.1" (compile [ "daemon/worker" ]);
    nftables = package "nftables" "1.1.5" (compile [ "src/rule" ]);
    mosquitto = package "mosquitto" "2.0.22" (compile [ "broker/loop" ]);
    home-assistant = package "home-assistant" "2025.11.3" [ "running 3 test modules" "collected 214 items" ];
    harmonia = package "harmonia" "3.0.0" [ "Compiling harmonia-store v3.0.0" "Compiling harmonia-cache v3.0.0" ];
    restic = package "restic" "0.18.1" [ "go: building ./cmd/restic" ];
    vaultwarden = package "vaultwarden" "1.34.3" [ "Compiling rocket v0.5.1" "Compiling vaultwarden v1.34.3" ];
    firefox = package "firefox" "145.0.1" [ "compiling xul" "linking libxul.so" ];
  };
in
packages // {
  inherit derive package;
  # What every host has.
  base = [ packages.linux packages.systemd packages.openssh packages.node-exporter ];
}
