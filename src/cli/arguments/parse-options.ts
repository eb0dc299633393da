// Values of options: what commander calls with each, and what it prints when they throw; and an option of several commands.
import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { outputChoices } from "../print/output-mode.ts";

export const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [
  ...(before ?? []),
  value,
];

/** Parses `--server`, which may be repeated. */
export const collectServer = (value: string, before: readonly string[] | undefined): readonly string[] => {
  const match = /^(?:(?:nats|tls):\/\/)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?<port>\d{1,5}))?$/.exec(
    value,
  );
  if (match === null || Number(match.groups?.["port"] ?? 0) > 65_535) {
    throw new InvalidArgumentError(
      "It must be nats://host:port or tls://host:port; --nkey or --creds signs in.",
    );
  }
  return collect(value, before);
};

export const parseCount = (text: string): number => {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
};

export const parsePositive = (text: string): number => {
  const count = parseCount(text);
  if (count === 0) throw new InvalidArgumentError("It must be at least 1.");
  return count;
};

export const parsePort = (text: string): number => {
  const port = parseCount(text);
  if (port < 1 || port > 65_535) throw new InvalidArgumentError("It must be between 1 and 65535.");
  return port;
};

/** JetStream has at most five copies of a stream; an even number survives no more than one less does. */
export const parseReplicas = (text: string): number => {
  if (!/^[135]$/.test(text)) throw new InvalidArgumentError("It must be 1, 3 or 5.");
  return Number(text);
};

export const parseScale = (text: string): number => {
  const scale = Number(text);
  if (!(scale > 0 && scale <= 100))
    throw new InvalidArgumentError("It must be a number above 0, at most 100.");
  return scale;
};

/** A longer timer would run out at once: https://nodejs.org/api/timers.html#settimeoutcallback-delay-args */
const longestTimer = 2 ** 31 - 1;

/** Milliseconds of `90s`, `30m`, `2h`. A number alone means minutes to some and seconds to others. */
export const parseDuration = (text: string): number => {
  if (/^[1-9]\d{0,6}$/.test(text)) {
    throw new InvalidArgumentError(`It must have a unit: ${text}s, ${text}m or ${text}h.`);
  }
  const match = /^(?<amount>\d+)(?<unit>[smh])$/.exec(text);
  const amount = Number(match?.groups?.["amount"]);
  if (match === null || amount === 0) throw new InvalidArgumentError("It must be like 90s, 30m or 2h.");
  const unit = match.groups?.["unit"];
  const milliseconds = amount * (unit === "h" ? 3_600_000 : unit === "m" ? 60_000 : 1000);
  if (milliseconds > longestTimer) throw new InvalidArgumentError("It must be at most 596h.");
  return milliseconds;
};

/** A day, which ends at its end in UTC, or a time with its zone; as RFC 3339 in UTC. */
export const parseTime = (text: string): string => {
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const isTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})$/.test(text);
  const time = new Date(isDay ? `${text}T23:59:59Z` : text);
  if (!(isDay || isTime) || Number.isNaN(time.getTime())) {
    throw new InvalidArgumentError("It must be like 2026-12-24 or 2026-12-24T18:00:00Z.");
  }
  return time.toISOString();
};

/** The beginning of a commit, as people copy it. */
export const parseCommitReference = (text: string): string => {
  if (/^[0-9a-f]{4,40}$/i.test(text)) return text.toLowerCase();
  throw new InvalidArgumentError("It must be a commit, or at least its first 4 hexadecimal digits.");
};

/** What a build's id can begin with, or `last`: whether there is such a build is for the server to say. */
export function parseBuildReference(text: string): string {
  if (/^(?:last|[0-9a-z]{1,26})$/i.test(text)) return text;
  throw new InvalidArgumentError(
    "It must be a build's id, the first of its 26 letters and digits, or `last`.",
  );
}

/** The same for a rollout. */
export function parseRolloutReference(text: string): string {
  if (/^(?:last|[0-9a-z]{1,26})$/i.test(text)) return text;
  throw new InvalidArgumentError(
    "It must be a rollout's id, the first of its 26 letters and digits, or `last`.",
  );
}

/** Parses `--label`, which may be repeated; all of them count. */
export function collectLabel(
  text: string,
  before: ReadonlyMap<string, string> | undefined,
): ReadonlyMap<string, string> {
  const [, key = "", value = ""] = /^(?<key>[^=]{1,64})=(?<value>.{1,64})$/.exec(text) ?? [];
  if (key === "") throw new InvalidArgumentError("It must be like KEY=VALUE.");
  return new Map([...(before ?? []), [key, value]]);
}

/** `--output`, which several commands have. */
export const outputOption = (
  description: string,
): Option<"--output <mode>", undefined, undefined, undefined, false, (typeof outputChoices)[number]> =>
  new Option("--output <mode>", description).choices(outputChoices);
