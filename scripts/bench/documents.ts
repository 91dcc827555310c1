/**
 * Baseline `documents`: a bare Koa app that parses the JSON of `signDoc`, decodes the document, hashes it,
 * signs once, and encodes as many bytes.
 */
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import Koa from 'koa'
import getRawBody from 'raw-body'
import type { AddressInfo } from 'node:net'

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

const app = new Koa()
app.use(async (ctx) => {
  const text = await getRawBody(ctx.req, { encoding: 'utf8', limit: '64mb' })
  const { documents } = JSON.parse(text) as { documents: { document: string }[] }
  const document = Buffer.from(documents[0]?.document ?? '', 'base64')
  const digest = createHash('sha256').update(document).digest()
  const signature = sign('sha256', digest, privateKey)
  ctx.body = { DocumentWithSignature: [Buffer.concat([document, signature]).toString('base64')] }
})
const server = app.listen(0, '127.0.0.1', () => {
  process.send?.({ ready: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
})
