const storePath = /'?\/[^\s',]*\/[0-9a-z]{32}-(?<name>[^\s',]+?)(?:\.drv)?(?:\.lock)?'?(?=[\s,]|$)/g;
const mostNamed = 3;

/**
 * What a build waits for, from Nix's words: "waiting for lock on '/nix/store/…-linux'", "waiting for a machine to build
 * …". The lock is held by another Nix process, such as somebody's nixos-rebuild, or another one of ours.
 */
export function waitingReason(text: string): string {
  const names = [...text.matchAll(storePath)].map(({ groups }) => groups?.["name"] ?? "");
  const named = names.slice(0, mostNamed).join(", ");
  if (names.length > 0 && text.startsWith("waiting for lock on ")) {
    return `waiting for the lock on ${named}: another Nix process builds it`;
  }
  return text.replaceAll(storePath, "$<name>");
}
