{ packages }:
with packages; {
  gunter = { services = [ firefox ]; motd = "The desk"; };
}
