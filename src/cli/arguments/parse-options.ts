// Values of options: what commander calls with each, and what it prints when they throw; and an option of several commands.
import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { outputChoices } from "../print/output-mode.ts";

export const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [
  ...(before ?? []),
  value,
];

/** Of `--server`, which may be repeated. */
export const collectServer = (value: string, before: readonly string[] | undefined): readonly string[] => {
  if (!/^(?:(?:nats|tls):\/\/)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?$/.test(value)) {
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
  const match = /^(?<amount>\d{1,7})(?<unit>[smh])$/.exec(text);
  const amount = Number(match?.groups?.["amount"]);
  if (match === null || amount === 0) throw new InvalidArgumentError("It must be like 90s, 30m or 2h.");
  const unit = match.groups?.["unit"];
  const milliseconds = amount * (unit === "h" ? 3_600_000 : unit === "m" ? 60_000 : 1000);
  if (milliseconds > longestTimer) throw new InvalidArgumentError("It must be at most 596h.");
  return milliseconds;
};

/** What a build's id can begin with, or `last`: whether there is such a build is for the server to say. */
export function parseBuildWish(text: string): string {
  if (/^(?:last|[0-9a-z]{1,26})$/i.test(text)) return text;
  throw new InvalidArgumentError(
    "It must be a build's id, the first of its 26 letters and digits, or `last`.",
  );
}

/** `--output`, which several commands have. */
export const outputOption = (
  description: string,
): Option<"--output <mode>", undefined, undefined, undefined, false, (typeof outputChoices)[number]> =>
  new Option("--output <mode>", description).choices(outputChoices);
