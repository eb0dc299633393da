// Words that people try, by habit from other programs or because they expect them, and the command that does it here.
const known: Readonly<Record<string, readonly string[]>> = {
  health: ["status", "doctor"],
  overview: ["status"],
  follow: ["watch", "logs ID --follow"],
  attach: ["watch"],
  tail: ["logs ID --follow"],
  cancel: ["builds cancel ID"],
  stop: ["builds cancel ID"],
  abort: ["builds cancel ID", "rollouts abort"],
  kill: ["builds cancel ID"],
  list: ["builds list", "hosts"],
  ls: ["builds list", "hosts"],
  ps: ["builds list"],
  queue: ["status"],
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
  keygen: ["nats keygen FILE", "keys create FILE"],
  switch: ["deploy HOST"],
  activate: ["deploy HOST"],
  apply: ["deploy HOST"],
  pause: ["rollouts pause"],
  resume: ["rollouts resume"],
  undo: ["rollback HOST"],
  hold: ["hosts hold HOST --reason TEXT"],
  release: ["hosts release HOST"],
  diff: ["hosts diff HOST"],
  schema: ["config schema"],
  version: ["--version"],
};

/** What to try instead of an unknown command; undefined if there is no good guess. */
export function adviseInstead(word: string): string | undefined {
  const commands = Object.hasOwn(known, word) ? known[word] : undefined;
  return commands?.map((command) => `homelab-deploy ${command}`).join(", ");
}

/** The commands that are named instead. */
export const namedInstead: readonly string[] = [...new Set(Object.values(known).flat())];

/** What somebody may have meant who gives a command more than it takes. */
const meant: Readonly<Record<string, string>> = {
  list: "one build: homelab-deploy builds show ID; one host: homelab-deploy hosts show HOST",
  update: "one input: homelab-deploy update --input NAME; one repo: homelab-deploy update --repo NAME",
  inputs: "one repo: homelab-deploy inputs --repo NAME",
  logs: "logs of one host at a time: homelab-deploy logs ID HOST",
};

export interface WrongArguments {
  /** The command that got too many of them. */
  readonly tooManyFor: string | undefined;
  /** The name that does not exist. */
  readonly missing: string | undefined;
}

export function adviseAboutArguments({ tooManyFor = "", missing }: WrongArguments): string | undefined {
  if (missing === "id") return "`last` is the newest build; homelab-deploy builds list has the ids";
  return Object.hasOwn(meant, tooManyFor) ? meant[tooManyFor] : undefined;
}
