# One system without nixpkgs: what activation, systemd, the boot loader and homelab-deploy look at in a NixOS toplevel.
# The argument is a `FakeSystem` (fake-systems.ts).
{ system }:
let
  inherit (builtins) appendContext attrNames concatStringsSep listToAttrs map toFile;

  # The last command is one of the shell: a program closes its output before it ends, and Nix kills what has closed it.
  make = name: script: derivation {
    inherit name system;
    builder = "/bin/bash";
    args = [ "-euc" "PATH=/usr/bin:/bin\n${script}\n:" ];
  };
  programs = listToAttrs (map (name: { inherit name; value = "${./programs + "/${name}"}"; }) (attrNames (builtins.readDir ./programs)));

  # As builtins.storePath, which flakes may not use.
  stored = path: appendContext path { ${path}.path = true; };

  # A store path of one file, as a kernel's is.
  part = name: file: content: make name "mkdir $out; cp ${toFile file content} $out/${file}";
  putFiles = files: concatStringsSep "\n" (map (name: ''
    mkdir -p "$(dirname "$out/${name}")"
    cp ${toFile (builtins.replaceStrings [ "/" "@" "\\" ] [ "-" "-" "-" ] (baseNameOf name)) files.${name}} "$out/${name}"
  '') (attrNames files));
in
spec:
let
  # Real ones are in a closure of their own, and `/etc/static` leads there.
  etc = make "etc" ''
    mkdir -p $out/etc/systemd/system/multi-user.target.wants
    cd $out/etc/systemd/system
    ${concatStringsSep "\n" (map (unit: "ln -s /lib/systemd/system/${unit} ${unit}") spec.targets)}
    printf '[Unit]\nDescription=Reactivate sysinit units\nRefuseManualStop=false\n' > sysinit-reactivation.target
    ${concatStringsSep "\n" (map (unit: "ln -s ../${unit} multi-user.target.wants/${unit}") spec.wants)}
    out=$out/etc
    ${putFiles spec.etc}
  '';
  kernel = make "linux-${spec.kernel}" ''
    mkdir $out
    head -c ${toString spec.kernelBytes} /dev/zero > $out/bzImage
    echo "kernel ${spec.kernel}" >> $out/bzImage
  '';
  initrd = part "initrd-${spec.initrd}" "initrd" "initrd ${spec.initrd}";
  modules = part "linux-modules-${spec.kernel}" "modules" "";
  systemd = part "systemd-${spec.systemd}" "version" spec.systemd;
  firmware = part "firmware-${spec.firmware}" "firmware" "";
in
make "nixos-system-${spec.name}-${spec.version}" ''
  mkdir -p $out/bin $out/lab
  printf %s ${spec.version} > $out/nixos-version
  printf %s ${system} > $out/system
  printf %s "${spec.params}" > $out/kernel-params
  printf %s "${spec.initInterface}" > $out/init-interface-version
  ln -s ${kernel}/bzImage $out/kernel
  ln -s ${initrd}/initrd $out/initrd
  ln -s ${modules} $out/kernel-modules
  ln -s ${systemd} $out/systemd
  ln -s ${firmware} $out/firmware
  ln -s ${etc}/etc $out/etc
  ${if spec.inhibitors == null then "" else "cp ${toFile "inhibitors" spec.inhibitors} $out/switch-inhibitors"}
  cp ${toFile "behaviour" spec.behaviour} $out/lab/behaviour
  for program in init activate bin/switch-to-configuration bin/install-boot-loader; do
    case $program in
      init) from=${programs."init.sh"} ;;
      activate) from=${programs."activate.sh"} ;;
      bin/switch-to-configuration) from=${programs."switch-to-configuration.sh"} ;;
      *) from=${programs."install-boot-loader.sh"} ;;
    esac
    sed "s|@out@|$out|g" $from > $out/$program
    chmod +x $out/$program
  done
  ${concatStringsSep "\n" (map (path: "ln -s ${stored path} $out/lab/") spec.parts)}
  head -c ${toString spec.ballastBytes} /dev/zero > $out/lab/ballast
  ${if spec.hasActivate then "" else "rm $out/activate"}
''
