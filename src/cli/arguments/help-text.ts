// What --help says below the options.

export const exitCodesHelp = `
  0  success                                  70   a bug
  1  it ran and something failed              124  --timeout reached
  2  usage, configuration or an unknown name  130  Ctrl-C
  3  no verdict: NATS or a builder out of     143  SIGTERM
     reach, an infrastructure fault; try later
  4  refused: not permitted or against policy`;

export const environmentHelp = `
  HOMELAB_DEPLOY_CONFIG, HOMELAB_DEPLOY_OUTPUT, HOMELAB_DEPLOY_INBOX_PREFIX,
  HOMELAB_DEPLOY_JETSTREAM_DOMAIN, HOMELAB_DEPLOY_KEY,
  NATS_URL, NATS_NKEY, NATS_CREDS, NATS_CA, NATS_CERT, NATS_KEY, NATS_CONTEXT,
  NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE`;

/** The part of the program's help that applies to every command. */
export const commonHelp = `
Exit codes:${exitCodesHelp}

Environment:${environmentHelp}`;

/** The examples at the end of a command's help. */
export const examples = (...commands: readonly string[]): string =>
  `\nExamples:\n${commands.map((command) => `  homelab-deploy ${command}`).join("\n")}`;
