# The users of NATS with their public keys, which are not secret. Make each key on the machine that uses it, with
# `homelab-deploy nats keygen FILE`, and put here what it prints. These are examples: nobody has their seeds.
{
  admin = "UAYMHMBTEPDROBAVG62VRDIGX7QSLYLSXYR4ZIL53JMO2IFGYSLT6GGT";
  operators.kai = "UDESLCOLSWCB2FMNZDPVA2DZHDOG36E3PXZGLDBHROAFCB2ILCTYXKIJ";
  ci.gitea = "UBZ4HVIDEUJ3RV4SXH6MNWVN57YCOH7JCCAC2CZBDNF4SP6WZR2ZDADA";
  # Whatever runs `homelab-deploy update`: here the timer on nix-cache01.
  updaters.timer = "UAPIVIAROLREQIA45JGJ42PA4JGS7WLSPKD3YMFPKFZRBRDSRHMXRHPQ";
  deployers.ns1 = "UBIMLFFCEELCRQLCZA6YTEGOBSOLD32CBQYVHEWONW7A3P7CFLKJZ2CM";
  builders.nix-cache01 = "UCWXLKO66CLHDCCYFAGXX6UJEVRTSUL5LNGDTDOUMR6UBYBL4GO7UZ2Z";
  # By repo and host: what each host told at its first start (journalctl -u homelab-deploy-listener).
  listeners.nixos-servers = {
    nix-cache01 = "UBRUBSH5AUHSFLY6AD36RU6RWYHEBKXQ7J7SVBCJZUE4UELQ4PJMUWML";
    ns1 = "UAERD24EIZ7NXMZZHU5IMQ7GJXITFCZJUCJS5ABN25CAD5IXAPKSXV4X";
    web01 = "UD5SYNIC7FM3ITXZHAAZQJBUF2ES7B3RJPDNEFL73SFSMUYOK43N7NAX";
  };
}
