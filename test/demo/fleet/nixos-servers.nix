{ packages }:
with packages; {
  backup01 = { services = [ restic ]; };
  cache01 = { services = [ harmonia nginx ]; };
  dns01 = { services = [ unbound ]; };
  dns02 = { services = [ unbound ]; };
  gitea = { services = [ gitea postgresql nginx ]; upstream = "http://localhost:3000"; };
  home-assistant = { services = [ home-assistant mosquitto ]; };
  media = { services = [ jellyfin nginx ]; upstream = "http://localhost:8096"; };
  monitor01 = { services = [ prometheus grafana ]; upstream = "http://localhost:3001"; };
  mqtt01 = { services = [ mosquitto ]; };
  nas = { services = [ samba ]; };
  router = { services = [ nftables unbound ]; };
  testvm01 = { services = [ ]; };
  vault = { services = [ vaultwarden nginx ]; upstream = "http://localhost:8222"; };
  web01 = {
    services = [ nginx ];
    motd = "Welcome";
    upstream = "http://localhost:8080";
    # Where its application listens, which its health check asks for.
    application = "http://localhost:8080";
  };
  # The canary of rollouts.
  web02 = { services = [ nginx ]; upstream = "http://localhost:8082"; application = "http://localhost:8082"; wave = 0; };
}
