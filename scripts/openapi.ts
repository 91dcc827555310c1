/** Writes openapi/ from the endpoints themselves; with --check, only tells whether it agrees. Both lint it. */
import '../src/oauth/unsupported-runtime.js'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import { format } from 'prettier'
import { CSC_MOUNTS } from '../src/csc/index.js'
import { cscDocument } from './openapi/csc-document.js'
import { oauthDocument } from './openapi/oauth-document.js'
import type { Json } from './openapi/schemas.js'
import { verificationDocument } from './openapi/verification-document.js'

const FOLDER = 'openapi'

const documents: readonly [string, Json][] = [
  ...CSC_MOUNTS.map((mount): [string, Json] => [`csc-${mount.version}.json`, cscDocument(mount)]),
  ['oauth.json', oauthDocument()],
  ['verification.json', verificationDocument()],
]

/** Authorization answers with redirects alone; metadata, keys and health are refused to nobody. */
const NOT_FOR_AUTHORIZATION_SERVERS = ['operation-2xx-response', 'operation-4xx-response']
const OF_AUTHORIZATION_SERVERS = /^#\/paths\/~1(oauth2|\.well-known|health)~1/

/** Names of the rules that a document breaks, and where. */
async function problemsOf(file: string, source: string): Promise<string[]> {
  const config = await createConfig({ extends: ['recommended'] })
  const problems = await lintFromString({ source, absoluteRef: `${FOLDER}/${file}`, config })
  return problems
    .map(({ ruleId, message, location }) => {
      return { ruleId, message, pointer: location[0]?.pointer ?? '' }
    })
    .filter(
      ({ ruleId, pointer }) =>
        !NOT_FOR_AUTHORIZATION_SERVERS.includes(ruleId) || !OF_AUTHORIZATION_SERVERS.test(pointer),
    )
    .map(({ ruleId, message, pointer }) => `${FOLDER}/${file}: ${ruleId}: ${message} (${pointer})`)
}

const checks = process.argv.includes('--check')
const complaints: string[] = []
mkdirSync(FOLDER, { recursive: true })
for (const [file, document] of documents) {
  const text = await format(JSON.stringify(document), { parser: 'json', printWidth: 100 })
  complaints.push(...(await problemsOf(file, text)))
  if (!checks) writeFileSync(join(FOLDER, file), text)
  else if (readFileSync(join(FOLDER, file), 'utf8') !== text) {
    complaints.push(`${FOLDER}/${file} is not what the endpoints say; run: npm run generate:docs`)
  }
}
const known = new Set(documents.map(([file]) => file))
for (const file of readdirSync(FOLDER)) {
  if (!known.has(file)) complaints.push(`${FOLDER}/${file} describes nothing that is mounted`)
}
process.stderr.write(complaints.map((line) => `${line}\n`).join(''))
if (complaints.length > 0) process.exitCode = 1
