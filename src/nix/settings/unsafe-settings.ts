// What in Nix's settings lets a build do more than build, or breaks promises of the builder.
import * as v from "valibot";
import { isAmong, type BuildUser } from "./build-user.ts";

/** Nix's settings by name, as `nix config show --json` has them. */
export type NixConfig = Readonly<Record<string, unknown>>;

export interface UnsafeSetting {
  /** `sandbox` */
  readonly setting: string;
  /** What it is, in one line. */
  readonly is: string;
  /** `wrong`: it gives away the machine, or builds cannot work. */
  readonly severity: "wrong" | "warning";
  readonly because: string;
  /** What to write into nix.conf. */
  readonly instead: string;
}

type Rule = (value: unknown, user: BuildUser) => Omit<UnsafeSetting, "setting" | "is"> | undefined;

const rules: Readonly<Record<string, Rule>> = {
  sandbox: (value) =>
    isOn(value)
      ? undefined
      : {
          severity: "wrong",
          because: "builds see the whole machine and the network, and give results that others cannot have",
          instead: "sandbox = true",
        },
  "sandbox-fallback": (value) =>
    isOff(value)
      ? undefined
      : {
          severity: "warning",
          because: "where the sandbox cannot be set up, builds silently run without it",
          instead: "sandbox-fallback = false",
        },
  "sandbox-paths": (value) =>
    // NixOS and Nix itself give a shell, and nothing else.
    textsOf(value).every((path) => path.startsWith("/bin/sh=") || path.startsWith("/nix/store/"))
      ? undefined
      : {
          severity: "warning",
          because: "every build sees these files of the machine",
          instead: "no extra-sandbox-paths",
        },
  "trusted-users": (value, user) => judgeTrusted(textsOf(value), user),
  "allowed-users": (value, user) => judgeAllowed(textsOf(value), user),
  "accept-flake-config": (value) =>
    isOff(value)
      ? undefined
      : {
          severity: "wrong",
          because: "any flake may set Nix's settings, also a program that runs after each build",
          instead: "accept-flake-config = false",
        },
  "require-sigs": (value) =>
    isOn(value)
      ? undefined
      : {
          severity: "wrong",
          because: "what substituters give is taken without a signature",
          instead: "require-sigs = true",
        },
  "min-free": (value) =>
    numberOf(value) === 0
      ? undefined
      : {
          severity: "warning",
          because: "the garbage collector runs in the middle of builds, and has broken them",
          instead: "min-free = 0, and collect garbage on a timer",
        },
  "auto-optimise-store": (value) =>
    isOff(value)
      ? undefined
      : {
          severity: "warning",
          because: "it slows every build",
          instead: "auto-optimise-store = false, and nix-store --optimise on a timer",
        },
  "keep-outputs": (value) =>
    isOff(value)
      ? undefined
      : {
          severity: "warning",
          because: "compilers and sources of all kept systems stay too: about twice the disk",
          instead: "keep-outputs = false",
        },
  "max-jobs": (value) =>
    value === 0 || value === "0"
      ? {
          severity: "warning",
          because: "nothing is built on this machine itself",
          instead: "max-jobs = auto",
        }
      : undefined,
};

/** What is judged here, and the keys that others compare with those of a cache. */
export const judgedSettings: readonly string[] = Object.keys(rules);

/** What else somebody reads of nix.conf. */
export const readSettings: readonly string[] = [...judgedSettings, "trusted-public-keys", "ssl-cert-file"];

/** Settings that this Nix does not know are not judged. */
export function unsafeSettings(config: NixConfig, user: BuildUser): readonly UnsafeSetting[] {
  return Object.entries(rules).flatMap(([setting, rule]) => {
    if (!(setting in config)) return [];
    const found = rule(config[setting], user);
    return found === undefined ? [] : [{ setting, is: shown(config[setting]), ...found }];
  });
}

/** Whether the Nix daemon takes every setting from this user. */
export const isTrusted = (config: NixConfig, user: BuildUser): boolean =>
  isAmong(textsOf(config["trusted-users"]), user);

function judgeTrusted(trusted: readonly string[], user: BuildUser): ReturnType<Rule> {
  const others = trusted.filter((name) => name !== "root");
  if (others.length === 0) return undefined;
  const isOurs = user.name !== "root" && isAmong(others, user);
  return {
    severity: isOurs || others.includes("*") ? "wrong" : "warning",
    because: isOurs
      ? `${user.name} is trusted, and a trusted user can do what root can`
      : "a trusted user can do what root can",
    instead: "trusted-users = root",
  };
}

function judgeAllowed(allowed: readonly string[], user: BuildUser): ReturnType<Rule> {
  if (allowed.includes("*")) {
    return {
      severity: "warning",
      because: "every user of this machine may build, and fill its disk",
      instead: `allowed-users = root ${user.name === "root" ? "homelab-deploy" : user.name}`,
    };
  }
  if (user.name === "root" || isAmong(allowed, user)) return undefined;
  return {
    severity: "wrong",
    because: `${user.name} may not talk to the Nix daemon`,
    instead: `allowed-users = ${[...allowed, user.name].join(" ")}`,
  };
}

// Nix 2.8 has booleans here, and `sandbox` as a text or boolean by version.
const isOn = (value: unknown): boolean => value === true || value === "true";
const isOff = (value: unknown): boolean => value === false || value === "false" || value === undefined;
const numberOf = (value: unknown): number => Number(value ?? 0);
function textsOf(value: unknown): readonly string[] {
  if (v.is(SandboxPaths, value)) return Object.entries(value).map(sandboxPath);
  return (Array.isArray(value) ? value.map(String) : textOf(value).split(/\s+/)).filter(
    (text) => text !== "",
  );
}
const textOf = (value: unknown): string =>
  typeof value === "string" ? value : value === undefined || value === null ? "" : JSON.stringify(value);
/** `sandbox-paths` of 2.34, by the place in the sandbox. Older versions have a list, as nix.conf writes it: `/bin/sh=/bin/busybox`. */
const SandboxPaths = v.record(v.string(), v.object({ source: v.string(), optional: v.boolean() }));
const sandboxPath = ([target, { source, optional }]: [string, { source: string; optional: boolean }]) =>
  `${target === source ? "" : `${target}=`}${source}${optional ? "?" : ""}`;
const shown = (value: unknown): string => textsOf(value).join(" ").slice(0, 200);
