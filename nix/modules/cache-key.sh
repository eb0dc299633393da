# Tells the public half of the signing key: in the journal, in $STATE_DIRECTORY/public-key, and above the console's login
# prompt. With $KEY_NAME the key is our own, and is made when there is none.
set -eu
umask 077

if [ -n "${KEY_NAME:-}" ]; then
  key=$STATE_DIRECTORY/signing-key
  if [ ! -s "$key" ]; then
    # Under another name first: a key that is half written when the power fails must not be taken for one.
    nix-store --generate-binary-cache-key "$KEY_NAME" "$key.new" "$key.new.public"
    rm "$key.new.public"
    mv "$key.new" "$key"
    echo "made a new signing key; back up $key"
  fi
else
  key=$CREDENTIALS_DIRECTORY/signing-key
fi

public=$(nix --extra-experimental-features nix-command key convert-secret-to-public <"$key")
echo "the hosts need: nix.settings.trusted-public-keys = [ \"$public\" ];"

umask 022
echo "$public" >"$STATE_DIRECTORY/public-key.new"
mv "$STATE_DIRECTORY/public-key.new" "$STATE_DIRECTORY/public-key"
echo "Public key of the binary cache: $public" >"$RUNTIME_DIRECTORY/homelab-deploy-cache.issue"
