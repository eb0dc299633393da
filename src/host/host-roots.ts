// Where a machine keeps what a deployment reads and changes. Tests give directories of their own.
export interface HostRoots {
  /** `current-system`, `booted-system` and what a switch leaves in `nixos`. */
  readonly run: string;
  /** `static` */
  readonly etc: string;
  /** The links of the system's profile: `system`, `system-42-link`, … */
  readonly profiles: string;
  readonly boot: string;
  /** An EFI system partition that is mounted elsewhere than at `boot` or in its `efi`. */
  readonly efi: string;
  readonly efiVariables: string;
  readonly bootId: string;
}

export const machineRoots: HostRoots = {
  run: "/run",
  etc: "/etc",
  profiles: "/nix/var/nix/profiles",
  boot: "/boot",
  efi: "/efi",
  efiVariables: "/sys/firmware/efi/efivars",
  bootId: "/proc/sys/kernel/random/boot_id",
};
