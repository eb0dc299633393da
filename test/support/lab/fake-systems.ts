// Toplevels without nixpkgs that misbehave where a test says so. What a real switch does, and how the fake one does it too,
// is in system/programs.
export interface FakeSystem {
  /** The host's: `web01`. */
  readonly name: string;
  /** Of NixOS, in `nixos-version`; also makes one system another than the next. */
  readonly version: string;
  readonly kernel: string;
  readonly kernelBytes: number;
  /** Of the closure besides everything else. */
  readonly ballastBytes: number;
  readonly initrd: string;
  readonly params: string;
  readonly systemd: string;
  readonly firmware: string;
  /** Another one cannot be switched to: exit 100. */
  readonly initInterface: string;
  /** The text of `switch-inhibitors`, which may be damaged. */
  readonly inhibitors: string | null;
  /** Without it a switch ends with 0 and activates nothing. */
  readonly hasActivate: boolean;
  /** Units of the machine's own systemd that are part of the system. */
  readonly targets: readonly string[];
  /** What multi-user.target wants. */
  readonly wants: readonly string[];
  /** Files below `/etc` by their names there. */
  readonly etc: Readonly<Record<string, string>>;
  /** Store paths that are part of the closure besides. */
  readonly parts: readonly string[];
  /** Shell, sourced by the fake programs. */
  readonly behaviour: string;
}

/** Where shell can run inside a switch: hang (`sleep 600`), die (`kill -9 $$`), cut the network, … */
export type HookPoint =
  /** Of switch-to-configuration, when it holds its lock. */
  | "begin"
  | "afterStop"
  /** Of the activation script: `/etc` is new and `/run/current-system` still old. `kill -9 $PPID $$` kills the switch, too. */
  | "afterEtc"
  | "afterActivate"
  /** systemd has been reloaded, nothing has been started again. */
  | "beforeStart"
  | "end"
  /** Of the boot loader's installation. */
  | "beforeBootLoader"
  | "beforeDefault";

export interface SystemSpecification extends Partial<Omit<FakeSystem, "etc" | "behaviour">> {
  readonly etc?: Readonly<Record<string, string>>;
  /** Unit files by name, which multi-user.target wants unless they are `optional`, templates, or no services. */
  readonly units?: Readonly<Record<string, string>>;
  readonly optional?: readonly string[];
  readonly hooks?: Partial<Record<HookPoint, string>>;
  /** An activation snippet that fails, as agenix does on a secret that cannot be decrypted. */
  readonly failingSnippet?: string;
  readonly testExit?: number;
  readonly bootExit?: number;
  /** `boot` exits with 0 and installs nothing. */
  readonly bootWritesNothing?: boolean;
  /** The boot loader's builder only looks at so many of the newest generations; 0 for all. */
  readonly configurationLimit?: number;
  /** The pre-switch checks refuse `test` and `check`, or also `boot`. */
  readonly preSwitchCheckFails?: "switch" | "always";
  /** A program of 2024: no `check`, waits for its lock, and a failing boot loader is exit 17. */
  readonly isOldProgram?: boolean;
}

const defaults = {
  version: "26.05.20261101.aaaaaaa",
  kernel: "6.12",
  kernelBytes: 1000,
  ballastBytes: 0,
  initrd: "6.12",
  params: "quiet",
  systemd: "258",
  firmware: "1",
  initInterface: "systemd 2",
  inhibitors: null,
  hasActivate: true,
  parts: [],
  targets: ["multi-user.target", "timers.target", "sockets.target", "paths.target"],
} as const;

export function fakeSystem(name: string, specification: SystemSpecification = {}): FakeSystem {
  const { units = {}, optional = [], etc = {}, wants } = specification;
  const isWanted = (unit: string): boolean =>
    unit.endsWith(".service") && !unit.includes("@") && !optional.includes(unit);
  return {
    ...defaults,
    ...pick(specification),
    name,
    wants: wants ?? Object.keys(units).filter(isWanted),
    etc: {
      "homelab-deploy/lab": name,
      ...etc,
      ...Object.fromEntries(Object.entries(units).map(([unit, text]) => [`systemd/system/${unit}`, text])),
    },
    behaviour: behaviourOf(specification),
  };
}

const pick = (specification: SystemSpecification): Partial<FakeSystem> =>
  Object.fromEntries(Object.entries(specification).filter(([key]) => key in defaults));

function behaviourOf(specification: SystemSpecification): string {
  const cases = Object.entries(specification.hooks ?? {}).map(
    ([point, shell]) => `    ${point})\n${shell}\n;;`,
  );
  const variables: Readonly<Record<string, string | number | undefined>> = {
    failingSnippet: specification.failingSnippet,
    testExit: specification.testExit,
    bootExit: specification.bootExit,
    bootWritesNothing: specification.bootWritesNothing === true ? 1 : undefined,
    configurationLimit: specification.configurationLimit,
    preSwitchCheckFails: specification.preSwitchCheckFails,
    ...(specification.isOldProgram === true ? { hasCheck: 0, lockWaits: 1, bootFailure: 17 } : {}),
  };
  const lines = Object.entries(variables)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}='${value}'`);
  return `${lines.join("\n")}\nbehaviour() {\n  case $1 in\n${cases.join("\n")}\n    *) : ;;\n  esac\n}\n`;
}

/** A service that runs forever; each `version` is a changed unit. */
export const daemon = (version = "1", more = ""): string =>
  `[Unit]\nDescription=A daemon, version ${version}\n[Service]\nExecStart=/bin/sleep infinity\n${more}`;
