// Words that people try, by habit from other programs or because they expect them, and the command that does it here.
const known: Readonly<Record<string, readonly string[]>> = {
  status: ["builds list", "hosts", "doctor", "cache status"],
  watch: ["logs ID --follow", "logs last --follow"],
  follow: ["logs ID --follow"],
  attach: ["logs ID --follow"],
  tail: ["logs ID --follow"],
  cancel: ["builds cancel ID"],
  stop: ["builds cancel ID"],
  abort: ["builds cancel ID"],
  kill: ["builds cancel ID"],
  list: ["builds list", "hosts"],
  ls: ["builds list", "hosts"],
  ps: ["builds list"],
  queue: ["builds list"],
  history: ["builds list"],
  show: ["builds show ID"],
  view: ["builds show ID"],
  log: ["logs ID"],
  run: ["build HOST", "builder --config FILE"],
  start: ["builder --config FILE", "up"],
  daemon: ["builder --config FILE"],
  serve: ["builder --config FILE"],
  server: ["up", "nats config"],
  init: ["up", "config schema", "nats config"],
  setup: ["nats setup", "config schema"],
  check: ["doctor", "config check FILE"],
  test: ["doctor"],
  verify: ["cache verify --all"],
  gc: ["cache retain --plan"],
  upgrade: ["update"],
  retry: ["build HOST"],
  eval: ["build HOST"],
  keygen: ["nats keygen FILE"],
  keys: ["nats keygen FILE"],
  schema: ["config schema"],
  version: ["--version"],
};

/** What it will do one day. */
const notYet: ReadonlySet<string> = new Set([
  "deploy",
  "rollback",
  "reboot",
  "switch",
  "activate",
  "apply",
  "rollouts",
]);

/** What to try in place of a command that there is not; undefined where nobody knows. */
export function adviseInstead(word: string): string | undefined {
  if (notYet.has(word)) {
    return "homelab-deploy does not change hosts yet: fetch what it built with nixos-rebuild, from the cache";
  }
  const commands = Object.hasOwn(known, word) ? known[word] : undefined;
  return commands?.map((command) => `homelab-deploy ${command}`).join(", ");
}

/** The commands that are named instead. */
export const namedInstead: readonly string[] = [...new Set(Object.values(known).flat())];
