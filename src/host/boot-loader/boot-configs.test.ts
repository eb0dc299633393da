import { expect, test } from "vitest";
import { copyNameOf } from "./boot-room.ts";
import { parseExtlinuxDefault } from "./extlinux.ts";
import { parseGrubDefault } from "./grub.ts";
import { chooseEntry, decodeLoaderVariable, parseLoaderConf, parseLoaderEntry } from "./systemd-boot.ts";

const system = "/nix/store/9krlzvny65gdc8s7kpb6lkx8cd02c25b-nixos-system-web01-26.05";
const old = "/nix/store/ab335240fd942ab8191c5e628cd4ff39-nixos-system-web01-25.11";

test("systemd-boot: the default of loader.conf, the last one", () => {
  expect(parseLoaderConf("timeout 5\ndefault nixos-generation-7.conf\nconsole-mode keep\n")).toBe(
    "nixos-generation-7.conf",
  );
  expect(parseLoaderConf("default a.conf\n\tdefault  b.conf \n")).toBe("b.conf");
  expect(parseLoaderConf("#default a.conf\ntimeout 1\n")).toBeUndefined();
});

test("systemd-boot: an entry", () => {
  const entry = `title NixOS
version Generation 7 NixOS 26.05, Linux Kernel 6.12
linux /EFI/nixos/abc-linux-6.12-bzImage.efi
initrd /EFI/nixos/abc-initrd-linux-6.12-initrd.efi
options init=${system}/init loglevel=4
machine-id 5
`;
  expect(parseLoaderEntry(entry)).toEqual({
    system,
    kernel: "/EFI/nixos/abc-linux-6.12-bzImage.efi",
    initrd: "/EFI/nixos/abc-initrd-linux-6.12-initrd.efi",
  });
  expect(parseLoaderEntry("title Windows\nefi /EFI/Microsoft/Boot/bootmgfw.efi\n")).toBeUndefined();
  // A specialisation is not the system itself.
  expect(parseLoaderEntry(`options init=${system}/specialisation/x/init\n`)).toBeUndefined();
});

test("systemd-boot: the file of the default entry", () => {
  const files = ["nixos-generation-7.conf", "nixos-generation-17.conf", "memtest.conf", "README"];
  expect(chooseEntry("nixos-generation-7.conf", files)).toBe("nixos-generation-7.conf");
  expect(chooseEntry("nixos-generation-7", files)).toBe("nixos-generation-7.conf");
  expect(chooseEntry("mem*", files)).toBe("memtest.conf");
  // Only the loader knows which of several it takes.
  expect(chooseEntry("nixos-*", files)).toBeUndefined();
  expect(chooseEntry("nixos-generation-8.conf", files)).toBeUndefined();
  expect(chooseEntry("nixos-generation-9.conf", ["nixos-generation-9+2-1.conf"])).toBe(
    "nixos-generation-9+2-1.conf",
  );
});

test("systemd-boot: an EFI variable", () => {
  const bytes = (text: string): Uint8Array =>
    Buffer.concat([Buffer.from([7, 0, 0, 0]), Buffer.from(text, "utf16le")]);
  expect(decodeLoaderVariable(bytes("nixos-generation-6.conf\0"))).toBe("nixos-generation-6.conf");
  expect(decodeLoaderVariable(bytes("\0"))).toBeUndefined();
  expect(decodeLoaderVariable(Buffer.from([7, 0, 0]))).toBeUndefined();
});

const grub = (chosen: string): string => `
if [ "\${next_entry}" ]; then
  set default="\${next_entry}"
  set next_entry=
else
  set default=${chosen}
  set timeout=5
fi
function savedefault {
  true
}
menuentry "NixOS - Default" --class nixos --unrestricted {
  search --set=drive1 --fs-uuid 1-2
  linux ($drive1)//kernels/abc-linux-6.12-bzImage init=${system}/init loglevel=4
  initrd ($drive1)//kernels/abc-initrd-initrd
}

submenu "NixOS - All configurations" --class submenu {
menuentry "NixOS - Configuration 6" --class nixos {
  linux ($drive1)/nix/store/x/bzImage init=${old}/init
}
}
menuentry "memtest" {
  linux16 /memtest
}
`;

test("GRUB: the entry by its number in the top menu", () => {
  expect(parseGrubDefault(grub('"0"'))).toEqual({
    system,
    kernel: "/kernels/abc-linux-6.12-bzImage",
    initrd: "/kernels/abc-initrd-initrd",
  });
  expect(parseGrubDefault(grub("2"))).toBeUndefined();
  expect(parseGrubDefault(grub('"${saved_entry}"'))).toBeUndefined();
  expect(parseGrubDefault("")).toBeUndefined();
});

test("extlinux: the entry of DEFAULT", () => {
  const text = `DEFAULT nixos-default
MENU TITLE ------
TIMEOUT 50

LABEL nixos-default
  MENU LABEL NixOS - Default
  LINUX ../nixos/abc-linux-Image
  INITRD ../nixos/abc-initrd-initrd
  APPEND init=${system}/init console=ttyS0

LABEL nixos-6-default
  LINUX ../nixos/old
  APPEND init=${old}/init
`;
  expect(parseExtlinuxDefault(text)).toEqual({
    system,
    kernel: "../nixos/abc-linux-Image",
    initrd: "../nixos/abc-initrd-initrd",
  });
  expect(parseExtlinuxDefault(text.replace("DEFAULT nixos-default", "DEFAULT other"))).toBeUndefined();
});

test("the names of copies, as the builders of nixpkgs make them", () => {
  const kernel = "/nix/store/9krlzvny65gdc8s7kpb6lkx8cd02c25b-linux-6.12/bzImage";
  const name = "9krlzvny65gdc8s7kpb6lkx8cd02c25b-linux-6.12-bzImage";
  expect(copyNameOf("systemd-boot", kernel)).toBe(`EFI/nixos/${name}.efi`);
  expect(copyNameOf("grub", kernel)).toBe(`kernels/${name}`);
  expect(copyNameOf("extlinux", kernel)).toBe(`nixos/${name}`);
});
