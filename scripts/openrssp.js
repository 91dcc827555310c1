#!/usr/bin/env node
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const cli = join(import.meta.dirname, '../dist/cli.js')
if (!existsSync(cli)) {
  process.stderr.write('openrssp: not built yet; run ./scripts/start once, or: npm run build\n')
  process.exit(1)
}
await import(cli)
