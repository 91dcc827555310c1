/**
 * Baseline `ceiling`: what the token and the processor give at most. Signs through pkcs11js with
 * C_SignAsync and verifies each signature with node:crypto, on all cores and nothing else.
 */
import { createHash, createPublicKey, randomBytes, verify, type KeyObject } from 'node:crypto'
import pkcs11js from 'pkcs11js'

export interface Ceiling {
  readonly module: string
  readonly tokenLabel: string
  readonly pin: string
  readonly algorithm: 'p-256' | 'rsa-2048'
  readonly sessions: number
  readonly seconds: number
}

export interface CeilingResult {
  readonly perSecond: number
}

const PKCS1_SHA256 = Buffer.from('3031300d060960864801650304020105000420', 'hex')
const P256 = Buffer.from('06082a8648ce3d030107', 'hex')

async function run(options: Ceiling): Promise<CeilingResult> {
  const pkcs11 = new pkcs11js.PKCS11()
  pkcs11.load(options.module)
  pkcs11.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK })
  const slot = pkcs11
    .C_GetSlotList(true)
    .find((each) => pkcs11.C_GetTokenInfo(each).label.trim() === options.tokenLabel)
  if (!slot) throw new Error(`no token ${options.tokenLabel}`)
  const open = () =>
    pkcs11.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION)
  const first = open()
  pkcs11.C_Login(first, pkcs11js.CKU_USER, options.pin)
  const { publicKey, privateKey } = makeKey(pkcs11, first, options.algorithm)
  const over = performance.now() + options.seconds * 1000
  let signatures = 0
  const begun = performance.now()
  const work = async (session: Buffer) => {
    while (performance.now() < over) {
      const data = randomBytes(32)
      const digest = createHash('sha256').update(data).digest()
      const isRsa = options.algorithm === 'rsa-2048'
      const mechanism = isRsa ? pkcs11js.CKM_RSA_PKCS : pkcs11js.CKM_ECDSA
      pkcs11.C_SignInit(session, { mechanism }, privateKey)
      const input = isRsa ? Buffer.concat([PKCS1_SHA256, digest]) : digest
      const signature = await pkcs11.C_SignAsync(session, input, Buffer.alloc(512))
      const key = isRsa ? publicKey : { key: publicKey, dsaEncoding: 'ieee-p1363' as const }
      if (!(await verified(data, key, signature))) throw new Error('a signature does not verify')
      signatures += 1
    }
  }
  const sessions = Array.from({ length: options.sessions }, open)
  await Promise.all(sessions.map(work))
  const perSecond = signatures / ((performance.now() - begun) / 1000)
  pkcs11.C_Finalize()
  return { perSecond }
}

function verified(
  data: Buffer,
  key: KeyObject | { key: KeyObject; dsaEncoding: 'ieee-p1363' },
  signature: Buffer,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    verify('sha256', data, key, signature, (error, good) => {
      if (error) reject(error)
      else resolve(good)
    })
  })
}

function makeKey(pkcs11: pkcs11js.PKCS11, session: Buffer, algorithm: Ceiling['algorithm']) {
  const isRsa = algorithm === 'rsa-2048'
  const keys = pkcs11.C_GenerateKeyPair(
    session,
    {
      mechanism: isRsa ? pkcs11js.CKM_RSA_PKCS_KEY_PAIR_GEN : pkcs11js.CKM_EC_KEY_PAIR_GEN,
    },
    [
      { type: pkcs11js.CKA_TOKEN, value: false },
      ...(isRsa
        ? [
            { type: pkcs11js.CKA_MODULUS_BITS, value: 2048 },
            { type: pkcs11js.CKA_PUBLIC_EXPONENT, value: Buffer.from([1, 0, 1]) },
          ]
        : [{ type: pkcs11js.CKA_EC_PARAMS, value: P256 }]),
    ],
    [
      { type: pkcs11js.CKA_TOKEN, value: false },
      { type: pkcs11js.CKA_SIGN, value: true },
    ],
  )
  return { privateKey: keys.privateKey, publicKey: publicKeyOf(pkcs11, session, keys, isRsa) }
}

function publicKeyOf(
  pkcs11: pkcs11js.PKCS11,
  session: Buffer,
  { publicKey }: { publicKey: Buffer },
  isRsa: boolean,
): KeyObject {
  const read = (type: number) => {
    const [attribute] = pkcs11.C_GetAttributeValue(session, publicKey, [{ type }])
    return attribute?.value as Buffer
  }
  const base64 = (value: Buffer) => value.toString('base64url')
  if (isRsa) {
    const [n, e] = [read(pkcs11js.CKA_MODULUS), read(pkcs11js.CKA_PUBLIC_EXPONENT)]
    return createPublicKey({ format: 'jwk', key: { kty: 'RSA', n: base64(n), e: base64(e) } })
  }
  const point = read(pkcs11js.CKA_EC_POINT).subarray(-64)
  const [x, y] = [point.subarray(0, 32), point.subarray(32)]
  return createPublicKey({
    format: 'jwk',
    key: { kty: 'EC', crv: 'P-256', x: base64(x), y: base64(y) },
  })
}

process.on('message', (options: Ceiling) => {
  run(options).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`)
      process.exit(1)
    },
  )
})
