/**
 * A signature application in one file: it signs a document through the double-redirect flow, using
 * nothing but the public API, and lets openssl judge the result, or pdfsig where it is a PDF, which comes
 * back with its signature inside. It plays the signer's browser too.
 */
import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { generateSync } from 'otplib'

const USAGE = 'Usage: scripts/sign FILE [--data-dir DIR] [--user NAME] [--algorithm NAME]'
const { values, positionals } = readArguments({
  allowPositionals: true,
  options: {
    help: { type: 'boolean', short: 'h', default: false },
    'data-dir': { type: 'string', default: process.env.OPENRSSP_DATA_DIR ?? './data' },
    user: { type: 'string', default: 'alice' },
    algorithm: { type: 'string', default: 'p-256' },
  },
})
if (values.help) {
  console.log(USAGE)
  process.exit(0)
}
const [file] = positionals
if (!file) fail(USAGE)

const HASHES = {
  sha256: {
    oid: '2.16.840.1.101.3.4.2.1',
    ecdsa: '1.2.840.10045.4.3.2',
    rsa: '1.2.840.113549.1.1.11',
  },
  sha384: {
    oid: '2.16.840.1.101.3.4.2.2',
    ecdsa: '1.2.840.10045.4.3.3',
    rsa: '1.2.840.113549.1.1.12',
  },
  sha512: {
    oid: '2.16.840.1.101.3.4.2.3',
    ecdsa: '1.2.840.10045.4.3.4',
    rsa: '1.2.840.113549.1.1.13',
  },
}
const HASH_FOR = { 'p-384': 'sha384', 'p-521': 'sha512' }

const sandbox = readSandbox(join(values['data-dir'], 'sandbox.json'))
const [client] = sandbox.clients
const redirectUri = client.redirect_uris[0]
const user = sandbox.users.find(({ username }) => username === values.user)
if (!user)
  fail(`There is no user "${values.user}" in the sandbox, but ${list('username', sandbox.users)}.`)
const wanted = user.credentials.find(({ algorithm }) => algorithm === values.algorithm)
if (!wanted) {
  fail(
    `${user.username} has no ${values.algorithm} key, but ${list('algorithm', user.credentials)}.`,
  )
}
const hashName = HASH_FOR[values.algorithm] ?? 'sha256'
const hash = HASHES[hashName]
const document = readDocument(file)
const isPdf = document.subarray(0, 1024).includes('%PDF-')
const digest = createHash(hashName).update(document).digest()
const cookies = new Map()

step(`1. ${file} hashed here: ${hashName} ${digest.toString('hex')}`)

const serviceToken = await authorize({ scope: 'service' })
step(`2. ${user.username} signed in; the application may see the credentials`)

const { credentialInfos } = await api('credentials/list', serviceToken, {
  credentialInfo: true,
  certificates: 'chain',
  certInfo: true,
})
const credential = credentialInfos.find(({ credentialID }) => credentialID === wanted.credentialID)
step(`3. Credential ${credential.credentialID}: ${credential.cert.subjectDN}`)

const credentialToken = await authorize({
  scope: 'credential',
  credentialID: credential.credentialID,
  numSignatures: '1',
  hashes: digest.toString('base64url'),
  hashAlgorithmOID: hash.oid,
  description: `Sign ${basename(file)}`,
})
step('4. The digest was shown and approved with a one-time code')

const signAlgo = credential.key.curve ? hash.ecdsa : hash.rsa
const names = { signature: `${basename(file)}.sig`, certificate: `${basename(file)}.pem` }
if (isPdf) await signPdf()
else await signHash()

/** The PDF goes to the service, which puts the signature into it; that this is the PDF agreed to, it checks. */
async function signPdf() {
  const signed = `${basename(file).replace(/\.pdf$/i, '')}.signed.pdf`
  const { DocumentWithSignature } = await api('signatures/signDoc', credentialToken, {
    credentialID: credential.credentialID,
    documents: [
      {
        document: document.toString('base64'),
        signature_format: 'P',
        conformance_level: 'AdES-B-B',
        signed_envelope_property: 'Revision',
        signAlgo,
      },
    ],
  })
  writeFileSync(signed, Buffer.from(DocumentWithSignature[0], 'base64'))
  step(`5. Signed: ${signed}`)
  const { error, stdout } = spawnSync('pdfsig', [signed], { encoding: 'utf8' })
  if (error) return step('6. pdfsig (poppler-utils) is not there to look at it')
  step(`6. pdfsig ${signed}\n${stdout.trim()}`)
  step(
    '   The issuer is the sandbox itself, which nobody else knows; everything else has to be valid.',
  )
  process.exitCode = stdout.includes('Signature is Valid') ? 0 : 1
}

async function signHash() {
  const { signatures } = await api('signatures/signHash', credentialToken, {
    credentialID: credential.credentialID,
    hashes: [digest.toString('base64')],
    hashAlgorithmOID: hash.oid,
    signAlgo,
  })
  writeFileSync(names.signature, Buffer.from(signatures[0], 'base64'))
  writeFileSync(names.certificate, credential.cert.certificates.map(toPem).join(''))
  step(`5. Signed: ${names.signature} (${names.certificate} holds the certificates)`)
  verifyWithOpenssl()
}

/** One redirect: the authorization request, the signer's pages, the code, the token. */
async function authorize(parameters) {
  const verifier = randomBytes(32).toString('base64url')
  const state = randomBytes(16).toString('base64url')
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri: redirectUri,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    state,
    ...parameters,
  })
  const answer = await playSigner(`${sandbox.baseUrl}/oauth2/authorize?${query}`)
  if (answer.get('state') !== state) fail('The answer is not to our request.')
  if (answer.get('error')) fail(`${answer.get('error')}: ${answer.get('error_description')}`)
  const response = await fetch(`${sandbox.baseUrl}/oauth2/token`, {
    method: 'POST',
    headers: { Authorization: `Basic ${btoa(`${client.client_id}:${client.client_secret}`)}` },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: answer.get('code'),
      redirect_uri: redirectUri,
      client_id: client.client_id,
      code_verifier: verifier,
    }),
  })
  const token = await response.json()
  if (!response.ok) fail(`oauth2/token: ${JSON.stringify(token)}`)
  return token.access_token
}

/** Follows redirects and fills in forms like a person with a browser, until the application is reached. */
async function playSigner(start) {
  let request = { url: start, method: 'GET' }
  for (let hops = 0; hops < 20; hops += 1) {
    if (request.url.startsWith(redirectUri)) return new URL(request.url).searchParams
    const response = await browse(request)
    const location = response.headers.get('location')
    request = location
      ? { url: new URL(location, request.url).href, method: 'GET' }
      : await fillIn(await response.text(), request.url)
  }
  return fail('The pages went in circles.')
}

async function browse({ url, method, body }) {
  const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  const response = await fetch(url, { method, body, redirect: 'manual', headers: { cookie } })
  for (const line of response.headers.getSetCookie()) {
    const [name, value] = line.split(';')[0].split(/=(.*)/s)
    if (value) cookies.set(name, value)
    else cookies.delete(name)
  }
  return response
}

async function fillIn(html, url) {
  const has = (name) => html.includes(`name="${name}"`)
  if (!has('action'))
    fail(`The service shows an error: ${html.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ')}`)
  if (html.includes('role="alert"') && has('otp')) await nextCode()
  const form = new URLSearchParams()
  if (has('username')) form.set('username', user.username)
  if (has('password')) form.set('password', user.password)
  if (has('pin')) form.set('pin', user.pin)
  if (has('otp')) form.set('otp', generateSync({ secret: user.totpSecret }))
  form.set('action', html.includes('value="approve"') ? 'approve' : 'continue')
  return { url, method: 'POST', body: form }
}

/** A code works once; after a refusal the next one has to be waited for. */
async function nextCode() {
  const seconds = 30 - (Math.floor(Date.now() / 1000) % 30) + 1
  step(`   the current code was used already; waiting ${seconds} s for the next`)
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
}

async function api(method, token, body) {
  const response = await fetch(`${sandbox.csc}/${method}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })
  const answer = await response.json()
  if (!response.ok) fail(`${method}: ${answer.error_description}`)
  return answer
}

function verifyWithOpenssl() {
  const publicKey = `${names.certificate}.pub`
  const key = spawnSync('openssl', ['x509', '-in', names.certificate, '-noout', '-pubkey'])
  writeFileSync(publicKey, key.stdout)
  const command = [
    'dgst',
    `-${hashName}`,
    '-verify',
    publicKey,
    '-signature',
    names.signature,
    file,
  ]
  step(`6. openssl ${command.join(' ')}`)
  const { status, stdout, stderr } = spawnSync('openssl', command, { encoding: 'utf8' })
  step(`   ${(stdout || stderr).trim()}`)
  process.exitCode = status ?? 1
}

function toPem(der) {
  return `-----BEGIN CERTIFICATE-----\n${der.match(/.{1,64}/g).join('\n')}\n-----END CERTIFICATE-----\n`
}

function readDocument(path) {
  try {
    return readFileSync(path)
  } catch {
    return fail(`${path} cannot be read.`)
  }
}

/** “alice, bob, carol” */
function list(member, things) {
  return [...new Set(things.map((each) => each[member]))].join(', ')
}

function readSandbox(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return fail(
      `No sandbox at ${path}; run ./scripts/start first, or name its folder with --data-dir.`,
    )
  }
}

function step(text) {
  process.stdout.write(`${text}\n`)
}

function readArguments(known) {
  try {
    return parseArgs(known)
  } catch (error) {
    return fail(`${error.message}\n${USAGE}`)
  }
}

function fail(text) {
  process.stderr.write(`sign: ${text}\n`)
  process.exit(1)
}
