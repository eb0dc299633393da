// What a secret looks like that nobody told us. Each pattern finds only the secret itself: what stands around it says
// what it was. They are bounded in both directions, so that a stream can be searched piece by piece: a match has at
// most `longestShape` characters and looks back at most `widestContext`.

/** What stands in for a secret. */
export const redactionMark = "[redacted]";

export const longestShape = 17_000;
export const widestContext = 256;

const notRedacted = String.raw`(?!\[redacted\])`;

const shapes: readonly string[] = [
  // Private keys: up to their end, or as far as there is base64; also where a line break is written as \n.
  String.raw`-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?:(?!-----BEGIN )[^]){0,16000}?-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|(?:[A-Za-z0-9+/=\s]|\\[nr]){0,16000})`,
  // https://user:password@host, https://token@host; with other schemes only where there is a password.
  String.raw`(?<=\b(?:https?|ftps?):\/\/)${notRedacted}[^\s/@"'<>]{1,2000}(?=@)`,
  String.raw`(?<=\b[a-z][a-z0-9+.-]{0,30}:\/\/)${notRedacted}[^\s/@:"'<>]{0,200}:[^\s/@"'<>]{1,2000}(?=@)`,
  // Authorization: Bearer …, and the headers of forges and registries.
  String.raw`(?<=\b(?:authorization|private-token|x-api-key|x-auth-token|x-gitea-token)["']?\s{0,4}[:=]\s{0,4}["']?(?:(?:basic|bearer|token|digest|negotiate)\s{1,4})?)${notRedacted}(?!(?:basic|bearer|token|digest|negotiate)\s)[^\s"',;]{1,8192}`,
  // access-tokens of nix.conf: the whole line. As an option of the command line, only with a value.
  String.raw`(?<=\baccess-tokens[ \t]{0,8}=[ \t]{0,8})${notRedacted}[^\s][^\r\n]{0,8191}`,
  String.raw`(?<=\baccess-tokens["']?[ \t]{1,8}["']?[a-z0-9.:/-]{1,100}=)${notRedacted}[^\s"']{1,1024}`,
  String.raw`(?<=[?&](?:access_|private_|auth_)?token=)${notRedacted}[^\s&"'#]{1,1024}`,
  // GitHub, GitLab, Slack, AWS, age, NATS seeds, signing keys of Nix caches, JSON web tokens.
  String.raw`\b(?:gh[pousr]_[a-z0-9]{20,255}|github_pat_[a-z0-9_]{20,255})`,
  String.raw`\bgl(?:pat|ptt|dt|rt|cbt|soat|imt)-[a-z0-9_.-]{16,300}`,
  String.raw`\bxox[a-z]-[a-z0-9-]{10,250}`,
  String.raw`\bage-secret-key-(?:pq-)?1[a-z0-9]{20,4000}`,
  String.raw`\beyJ[a-z0-9_-]{10,4000}\.[a-z0-9_-]{10,8000}\.[a-z0-9_-]{10,4000}`,
  // Gitea's tokens are 40 hexadecimal digits, as commits are: only beside the word.
  String.raw`(?<![a-z0-9])[0-9a-f]{40}(?![a-z0-9])(?:(?<=token[^\n]{0,24}.{40})|(?=[^\n]{0,4}token))`,
];

/** The same for case-sensitive texts. */
const exactShapes: readonly string[] = [
  String.raw`\bAKIA[0-9A-Z]{16}\b`,
  String.raw`\bS[ACNOUX][A-Z2-7]{56}\b`,
  String.raw`(?<=\b[A-Za-z0-9.-]{1,100}:)[A-Za-z0-9+/]{86}==`,
];

export const shapePatterns: readonly RegExp[] = [
  new RegExp(shapes.join("|"), "gi"),
  new RegExp(exactShapes.join("|"), "g"),
];
