import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto'
import type { Activation } from '../../../src/activation/activations.js'
import { parseCertificate, type ParsedCertificate } from '../../../src/certificates/certificate.js'
import { encodeRequestInfo } from '../../../src/certificates/certification-request.js'
import { encodeName } from '../../../src/certificates/distinguished-name.js'
import { requestCertificate } from '../../../src/certificates/proof-of-possession.js'
import { signingCertificate } from '../../../src/credentials/credentials.js'
import type { Credential } from '../../../src/credentials/credential.js'
import { HsmUnavailableError } from '../../../src/errors.js'
import { HASH_ALGORITHMS, type SignatureAlgorithm } from '../../../src/keys/algorithms.js'
import type { SigningOperation } from '../../../src/keys/key-custody.js'
import { prepareDocument } from '../../../src/documents/prepared-document.js'
import { verifyDigest } from '../../../src/keys/digest-verifier.js'
import type { StatementKind } from '../../../src/keys/key-custody.js'
import { sql, sweep, type Statement } from '../../../src/storage/database.js'
import {
  digestOf,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../../support/rssp.js'
import { PLAIN_FORMAT } from '../../support/plain-format.js'
import { newTokenDirectory } from '../../support/softhsm.js'
import {
  certificateList,
  responseData,
  timestampAttributes,
  tstInfo,
} from '../../support/statements.js'

const ECDSA: SignatureAlgorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 }
const ECDSA_384: SignatureAlgorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha384 }

interface Ask {
  readonly keyId: string
  readonly digests: readonly Buffer[]
  readonly algorithm: SignatureAlgorithm
  readonly operation: SigningOperation | undefined
}

/*
 * A server that was broken into holds the token of the key process and may say what it likes: these tests
 * are that server.
 */
describe('The key process, asked by a server that lies', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential
  let other: Credential
  let count = 0

  before(async () => {
    rssp = await startRssp({
      token: newTokenDirectory(),
      settings: { log: { level: 'silent' } },
    })
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user)
    other = await rssp.addCredential(await rssp.addUser())
  })
  after(() => rssp.close())

  /** An approval whose rows are reserved, as signHash does it, and not signed. */
  async function reserve(digests: readonly Buffer[]): Promise<Activation> {
    const agreement = await agreed(digests)
    return rssp.services.activations.redeem({ ...agreement, digests })
  }

  /** The same as signDoc does it, for a document that was prepared elsewhere. */
  async function reserveDocument(digest: Buffer): Promise<Activation> {
    return reserveDocuments([digest], [ECDSA], credential)
  }

  async function reserveDocuments(
    digests: readonly Buffer[],
    algorithms: readonly SignatureAlgorithm[],
    by: Credential,
  ): Promise<Activation> {
    const agreement = await agreed(digests, 'sdr', by)
    const format = await PLAIN_FORMAT.load()
    const prepared = digests.map((digest, index) => {
      const request = {
        ...({ format: 'X', level: 'B-B', envelope: 'Detached', signedProperties: [] } as const),
        ...{ referenceUri: null, content: { digest } },
      }
      return prepareDocument(format, request, {
        ...{ algorithm: algorithms[index] ?? ECDSA, signingTime: rssp.clock.now() },
        signatory: { certificate: Buffer.alloc(0), chain: [] },
      })
    })
    const documents = await Promise.all(prepared)
    return rssp.services.activations.redeemDocuments({ ...agreement, documents })
  }

  async function agreed(digests: readonly Buffer[], hashType?: 'sdr', by = credential) {
    const { transactions, activations } = rssp.services
    const transaction = await transactions.open(randomUUID(), {
      clientId: client.client_id,
      credential: by,
      items: digests.map((digest) => ({ digest, label: null, ...(hashType ? { hashType } : {}) })),
      hashAlgorithm: HASH_ALGORITHMS.sha256,
      numSignatures: digests.length,
      description: null,
      clientData: null,
    })
    assert.ok(transaction)
    const authorisation = await activations.grant(randomUUID(), transaction, ['otp'])
    assert.ok(authorisation)
    return {
      ...{ authorisation, credential: by, algorithm: ECDSA, sad: null, repeatable: null },
      caller: { clientId: client.client_id, userId: user.id },
    }
  }

  const newDigest = () => digestOf(`document ${(count += 1)}`)

  function asked({ credential: { keyId }, digests, ...activation }: Activation): Ask {
    const { operationId, rows, uses, toBeSigned } = activation
    const [{ algorithm } = { algorithm: ECDSA }] = uses
    const operation = {
      ...{ id: operationId, rows: rows.map(({ rowId }) => rowId) },
      ...(toBeSigned ? { toBeSigned } : {}),
    }
    return { keyId, digests, algorithm, operation }
  }

  function sign({ keyId, digests, algorithm, operation }: Ask): Promise<Buffer[]> {
    return rssp.services.custody.sign(keyId, digests, algorithm, operation)
  }

  async function assertRefused(ask: Ask, why: string): Promise<void> {
    await assert.rejects(sign(ask), (error: unknown) => {
      assert.ok(error instanceof HsmUnavailableError, String(error))
      assert.equal(error.message, `The key process refuses: ${why}`)
      return true
    })
  }

  /** As whoever can write to the database, but does not have the master secret. */
  const write = (statement: Statement) =>
    rssp.services.database.commit({ changes: [sweep(statement)] })

  const past = new Date(0)

  it('signs what is reserved, and answers with what was verified', async () => {
    const digests = [newDigest(), newDigest(), newDigest()]
    const signatures = await sign(asked(await reserve(digests)))
    const { publicKey } = signingCertificate(credential)
    assert.equal(signatures.length, 3)
    for (const [index, signature] of signatures.entries()) {
      assert.ok(await verifyDigest(publicKey, digests[index] ?? signature, signature, ECDSA))
    }
  })

  it('signs a reservation once, whoever asks again', async () => {
    const ask = asked(await reserve([newDigest()]))
    await sign(ask)
    await assertRefused(ask, 'the same signing again')
  })

  it('signs the rows of a reservation with the algorithm of each, and each once', async () => {
    const rsa = await rssp.addCredential(user, { algorithm: 'rsa-2048' })
    const hash = HASH_ALGORITHMS.sha256
    const algorithms = (['rsa-pss', 'rsa-pkcs1', 'rsa-pss'] as const).map((scheme) => {
      return { scheme, hash, ...(scheme === 'rsa-pss' ? { saltLength: hash.bytes } : {}) }
    })
    const digests = algorithms.map(newDigest)
    const activation = await reserveDocuments(digests, algorithms, rsa)
    const asks = activation.uses.map(({ algorithm, positions }): Ask => {
      const those = <T>(all: readonly T[]) => positions.flatMap((position) => all[position] ?? [])
      const rows = those(activation.rows).map(({ rowId }) => rowId)
      const operation = { id: activation.operationId, rows }
      return {
        ...{ keyId: rsa.keyId, algorithm, digests: those(activation.digests) },
        operation: { ...operation, toBeSigned: those(activation.toBeSigned ?? []) },
      }
    })
    const [pss, pkcs1] = asks
    assert.ok(pss && pkcs1)
    assert.equal(asks.length, 2)
    const exchanged = { ...pss, algorithm: pkcs1.algorithm }
    await assertRefused(exchanged, 'another algorithm')
    const { publicKey } = signingCertificate(rsa)
    for (const ask of asks) {
      const signatures = await sign(ask)
      for (const [index, signature] of signatures.entries()) {
        const digest = ask.digests[index] ?? Buffer.alloc(0)
        assert.ok(await verifyDigest(publicKey, digest, signature, ask.algorithm))
      }
    }
    for (const ask of asks) await assertRefused(ask, 'the same signing again')
    const half = { ...pss, digests: pss.digests.slice(0, 1) }
    const [row = ''] = pss.operation?.rows ?? []
    const operation = { id: activation.operationId, rows: [row] }
    const toBeSigned = pss.operation?.toBeSigned?.slice(0, 1) ?? []
    await assertRefused(
      { ...half, operation: { ...operation, toBeSigned } },
      'the same signing again',
    )
  })

  it('signs one of many that ask for the same at once', async () => {
    const ask = asked(await reserve([newDigest()]))
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => sign(ask)))
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  })

  it('signs nothing of a batch with one wrong digest, at any place', async () => {
    for (let place = 0; place < 3; place += 1) {
      const ask = asked(await reserve([newDigest(), newDigest(), newDigest()]))
      await assertRefused(
        { ...ask, digests: ask.digests.with(place, newDigest()) },
        'another digest',
      )
    }
  })

  it('signs what was derived from an approved digest and names it', async () => {
    const activation = await reserveDocument(newDigest())
    const [digest = Buffer.alloc(0)] = activation.digests
    const [signature = digest] = await sign(asked(activation))
    const { publicKey } = signingCertificate(credential)
    assert.ok(await verifyDigest(publicKey, digest, signature, ECDSA))
    assert.notDeepEqual(digest, activation.rows[0]?.digest)
  })

  describe('refuses for a document (S62)', () => {
    let ask: Ask & { operation: SigningOperation }
    let activation: Activation
    let approved: Buffer

    beforeEach(async () => {
      approved = newDigest()
      activation = await reserveDocument(approved)
      const { operation, ...rest } = asked(activation)
      assert.ok(operation)
      ask = { ...rest, operation }
    })
    const recorded = (changes: Statement) =>
      write(
        sql`UPDATE "AuthorisedDigest" SET ${changes} WHERE "operationId" = ${activation.operationId}`,
      )
    const showing = (...toBeSigned: readonly Buffer[]) => ({
      ...ask,
      operation: { ...ask.operation, toBeSigned },
    })

    it('the approved digest itself: it is of a document', () =>
      assertRefused({ ...ask, digests: [approved] }, 'another digest'))

    it('a digest of other bytes than were recorded', () =>
      assertRefused({ ...ask, digests: [newDigest()] }, 'another digest'))

    it('what comes without the bytes', async () => {
      const { id, rows } = ask.operation
      await assertRefused({ ...ask, operation: { id, rows } }, 'the bytes to be signed are missing')
      await assertRefused(showing(Buffer.alloc(0)), 'the bytes to be signed are missing')
    })

    it('other bytes than those of the digest', () =>
      assertRefused(
        ...([
          showing(Buffer.from('<SignedInfo/>')),
          'other bytes than those of the digest',
        ] as const),
      ))

    it('bytes that name another digest, even when the ledger has theirs', async () => {
      const another = Buffer.from(
        `<SignedInfo><DigestValue>${newDigest().toString('base64')}</DigestValue></SignedInfo>`,
      )
      const digest = digestOf(another.toString())
      await recorded(sql`"toBeSigned" = ${digest.toString('base64')}`)
      await assertRefused(
        { ...showing(another), digests: [digest] },
        'the bytes to be signed do not name the authorised digest',
      )
    })

    it('a digest that nobody knows to be derived', async () => {
      await recorded(sql`"derivation" = NULL`)
      await assertRefused(ask, 'nobody knows how the digest was derived')
    })

    it('one approved as the hash to be signed', async () => {
      await recorded(sql`"hashType" = 'dtbsr'`)
      await assertRefused(ask, 'a hash used for a document')
    })

    it('one approved as that of a document, to be signed as a hash', async () => {
      await recorded(sql`"toBeSigned" = NULL`)
      await assertRefused(
        { ...ask, digests: [approved] },
        'the digest of a document signed as a hash',
      )
    })
  })

  describe('refuses', () => {
    let ask: Ask
    let activation: Activation

    beforeEach(async () => {
      activation = await reserve([newDigest()])
      ask = asked(activation)
    })

    it('everything without a reservation', () =>
      assertRefused({ ...ask, operation: undefined }, 'a signature without a reservation'))

    it('a name it did not give out', async () => {
      const operation = { id: randomUUID(), rows: ask.operation?.rows ?? [] }
      await assert.rejects(sign({ ...ask, operation }), HsmUnavailableError)
    })

    it('a name of its own that nothing is reserved under', async () => {
      const run = ask.operation?.id.split('.')[0] ?? ''
      const operation = { id: `${run}.${randomUUID()}`, rows: ask.operation?.rows ?? [] }
      await assertRefused({ ...ask, operation }, 'a row of another signing')
    })

    it('rows that are not there', async () => {
      const operation = { id: ask.operation?.id ?? '', rows: [randomUUID()] }
      await assertRefused({ ...ask, operation }, 'the ledger has no such row')
    })

    it('fewer rows than digests', () =>
      assertRefused(
        { ...ask, digests: [...ask.digests, ...ask.digests] },
        'not as many rows as digests',
      ))

    it('one row for two signatures', async () => {
      const [row = ''] = ask.operation?.rows ?? []
      const operation = { id: ask.operation?.id ?? '', rows: [row, row] }
      await assertRefused(
        { ...ask, digests: [...ask.digests, ...ask.digests], operation },
        'a row twice',
      )
    })

    it('a digest that was not approved', () =>
      assertRefused({ ...ask, digests: [newDigest()] }, 'another digest'))

    it('an approved digest of another approval', async () => {
      const second = asked(await reserve([newDigest()]))
      await assertRefused({ ...ask, digests: second.digests }, 'another digest')
    })

    it('rows of two approvals', async () => {
      const second = asked(await reserve([newDigest()]))
      await write(
        sql`UPDATE "AuthorisedDigest" SET "operationId" = ${activation.operationId}
             WHERE "id" = ${second.operation?.rows[0] ?? ''}`,
      )
      const rows = [...(ask.operation?.rows ?? []), ...(second.operation?.rows ?? [])]
      await assertRefused(
        {
          ...ask,
          digests: [...ask.digests, ...second.digests],
          operation: { id: activation.operationId, rows },
        },
        'rows of two authorisations',
      )
    })

    it('the key of somebody else', () =>
      assertRefused({ ...ask, keyId: other.keyId }, 'the key of another credential'))

    it('another signature algorithm than was reserved', () =>
      assertRefused({ ...ask, algorithm: ECDSA_384 }, 'another algorithm'))

    it('an algorithm that does not fit the key, even when the ledger says so', async () => {
      await write(
        sql`UPDATE "AuthorisedDigest" SET "signAlgorithm" = 'rsa-pkcs1 sha256'
             WHERE "operationId" = ${activation.operationId}`,
      )
      const algorithm = { scheme: 'rsa-pkcs1', hash: HASH_ALGORITHMS.sha256 } as const
      await assertRefused({ ...ask, algorithm }, 'an algorithm the key must not be used with')
    })

    const rowChanges: [string, Statement, string][] = [
      ['consumed', sql`"state" = 'consumed'`, 'a row that is consumed'],
      ['released', sql`"state" = 'released'`, 'a row that is released'],
      ['indeterminate', sql`"state" = 'indeterminate'`, 'a row that is indeterminate'],
      ['not reserved', sql`"state" = 'authorised'`, 'a row that is authorised'],
      ['reserved for too long', sql`"reservedUntil" = ${past}`, 'the reservation is over'],
      ['reserved without an end', sql`"reservedUntil" = NULL`, 'the reservation is over'],
    ]
    for (const [what, change, why] of rowChanges) {
      it(`a row that is ${what}`, async () => {
        await write(
          sql`UPDATE "AuthorisedDigest" SET ${change} WHERE "operationId" = ${activation.operationId}`,
        )
        await assertRefused(ask, why)
      })
    }

    // Who can write to the database cannot approve (S1).
    const forgeries: [string, Statement][] = [
      ['without its MAC', sql`"binding" = NULL`],
      [
        'with the MAC of another row',
        sql`"binding" = 'f0-GFGnJbxh9sNmEVGXUSxbLGH0vS1TLZcoI3L2xkzU'`,
      ],
      ['approved as something else', sql`"hashType" = 'dtbsr'`],
    ]
    for (const [what, change] of forgeries) {
      it(`a row that is ${what}`, async () => {
        await write(
          sql`UPDATE "AuthorisedDigest" SET ${change} WHERE "operationId" = ${activation.operationId}`,
        )
        await assertRefused(ask, 'a row that is not as it was approved')
      })
    }

    it('a digest that somebody wrote into the ledger', async () => {
      const digest = newDigest()
      await write(
        sql`UPDATE "AuthorisedDigest" SET "digest" = ${digest.toString('base64')}
             WHERE "operationId" = ${activation.operationId}`,
      )
      await assertRefused({ ...ask, digests: [digest] }, 'a row that is not as it was approved')
    })

    it('a row that somebody added to an approval', async () => {
      const digest = newDigest()
      await write(
        sql`INSERT INTO "AuthorisedDigest"
              ("id", "authorisationId", "position", "digest", "state", "operationId", "reservedUntil", "signAlgorithm", "binding")
            SELECT 'added', "authorisationId", 99, ${digest.toString('base64')}, "state", "operationId",
                   "reservedUntil", "signAlgorithm", "binding"
              FROM "AuthorisedDigest" WHERE "operationId" = ${activation.operationId}`,
      )
      const operation = { id: activation.operationId, rows: ['added'] }
      await assertRefused(
        { ...ask, digests: [digest], operation },
        'a row that is not as it was approved',
      )
    })

    it('an approval that was moved to another application', async () => {
      const client = await rssp.addClient()
      await write(
        sql`UPDATE "Authorisation" SET "clientId" = ${client.client_id} WHERE "id" = ${activation.authorisationId}`,
      )
      await assertRefused(ask, 'a row that is not as it was approved')
    })

    it('an approval that expired', async () => {
      await write(
        sql`UPDATE "Authorisation" SET "expiresAt" = ${past} WHERE "id" = ${activation.authorisationId}`,
      )
      await assertRefused(ask, 'the authorisation is over')
    })

    it('an approval that was revoked', async () => {
      await rssp.services.activations.revoke(activation.authorisationId, 'test')
      await assertRefused(ask, 'the authorisation was revoked')
    })

    it('an approval of other hashes', async () => {
      await write(
        sql`UPDATE "Authorisation" SET "hashAlgorithm" = ${HASH_ALGORITHMS.sha512.oid}
             WHERE "id" = ${activation.authorisationId}`,
      )
      await assertRefused(ask, 'another hash algorithm')
    })

    it('an approval that was moved to another credential', async () => {
      await write(
        sql`UPDATE "Authorisation" SET "credentialId" = ${other.id}
             WHERE "id" = ${activation.authorisationId}`,
      )
      await assertRefused({ ...ask, keyId: other.keyId }, 'the credential of somebody else')
    })

    it('an approval of a person or application that was disabled, until it is back', async () => {
      for (const [table, id] of [
        [sql`"User"`, user.id],
        [sql`"Client"`, client.client_id],
      ] as const) {
        await write(sql`UPDATE ${table} SET "disabledAt" = ${past} WHERE "id" = ${id}`)
        await assertRefused(ask, 'the person, application or consent ended')
        await write(sql`UPDATE ${table} SET "disabledAt" = NULL WHERE "id" = ${id}`)
      }
    })

    it('a credential that was suspended', async () => {
      await write(sql`UPDATE "Credential" SET "status" = 'suspended' WHERE "id" = ${credential.id}`)
      await assertRefused(ask, 'the credential is not enabled')
      await write(sql`UPDATE "Credential" SET "status" = 'enabled' WHERE "id" = ${credential.id}`)
    })

    it('a credential whose key was swapped in the database', async () => {
      await write(sql`UPDATE "Credential" SET "keyId" = 'aside' WHERE "id" = ${other.id}`)
      await write(
        sql`UPDATE "Credential" SET "keyId" = ${other.keyId} WHERE "id" = ${credential.id}`,
      )
      await assertRefused({ ...ask, keyId: other.keyId }, 'the credential was tampered with')
      await write(
        sql`UPDATE "Credential" SET "keyId" = ${credential.keyId} WHERE "id" = ${credential.id}`,
      )
      await write(sql`UPDATE "Credential" SET "keyId" = ${other.keyId} WHERE "id" = ${other.id}`)
    })

    it('a credential whose certificate was swapped in the database', async () => {
      const certificates = (of: Credential) =>
        JSON.stringify(of.certificates.map((der) => der.toString('base64')))
      const swap = (to: Credential) =>
        write(
          sql`UPDATE "Credential" SET "certificates" = ${certificates(to)} WHERE "id" = ${credential.id}`,
        )
      await swap(other)
      await assertRefused(ask, 'the credential was tampered with')
      await swap(credential)
    })
  })

  describe('with the keys of authorities', () => {
    const authority = async (name: string) => {
      const key = await rssp.services.database.read.authorityKey.findUnique({ where: { name } })
      assert.ok(key)
      return { keyId: key.keyId, certificate: parseCertificate(Buffer.from(key.certificate)) }
    }

    /** A certificate like one that was issued, for another key of the same kind. */
    function certificateFor(publicKey: Buffer, like: ParsedCertificate): Buffer {
      const at = like.tbs.indexOf(like.publicKey)
      assert.ok(at > 0 && publicKey.length === like.publicKey.length)
      const after = like.tbs.subarray(at + publicKey.length)
      return Buffer.concat([like.tbs.subarray(0, at), publicKey, after])
    }

    function certify(issuerKeyId: string, subjectKeyId: string, tbs: Buffer): Promise<Buffer> {
      const { client } = rssp.services.keys
      assert.ok(client)
      return client.certify({ issuerKeyId, subjectKeyId, tbs, algorithm: ECDSA_384 })
    }

    const refuses = (certified: Promise<Buffer>, why: string) =>
      assert.rejects(certified, {
        name: 'HsmUnavailableError',
        message: `The key process refuses: ${why}`,
      })

    it('certifies a key of its own', async () => {
      const issuing = await authority('issuing')
      const { tbs } = signingCertificate(credential)
      const signature = await certify(issuing.keyId, credential.keyId, tbs)
      const digest = createHash('sha384').update(tbs).digest()
      const { publicKey } = issuing.certificate
      assert.ok(await verifyDigest(publicKey, digest, signature, ECDSA_384))
    })

    it('certifies no key that somebody else made', async () => {
      const { keyId } = await authority('issuing')
      const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const publicKey = stranger.publicKey.export({ format: 'der', type: 'spki' })
      const tbs = certificateFor(publicKey, signingCertificate(credential))
      const why = 'a certificate for a key that is not ours'
      await refuses(certify(keyId, credential.keyId, tbs), why)
      await refuses(certify(keyId, '0'.repeat(32), tbs), why)
    })

    it('certifies no key under the name of another', async () => {
      const { keyId } = await authority('issuing')
      const { tbs } = signingCertificate(credential)
      await refuses(certify(keyId, other.keyId, tbs), 'a certificate for a key that is not ours')
    })

    it('takes nothing for a certificate that is none, or not DER', async () => {
      const { keyId } = await authority('issuing')
      const { tbs } = signingCertificate(credential)
      const why = 'a certificate for a key that is not ours'
      for (const text of [Buffer.alloc(0), digestOf('x'), Buffer.concat([tbs, Buffer.of(0)])]) {
        await refuses(certify(keyId, credential.keyId, text), why)
      }
    })

    it('signs no digest with them, with or without a reservation', async () => {
      const { keyId } = await authority('issuing')
      const digests = [createHash('sha384').update('a certificate').digest()]
      const bare = { keyId, digests, algorithm: ECDSA_384, operation: undefined }
      await assertRefused(bare, 'a signature without a reservation')
      const reserved = asked(await reserve([newDigest()]))
      await assertRefused({ ...reserved, keyId }, 'the key of another credential')
    })

    it('lets the root rest once it has certified the issuing authority', async () => {
      const { keyId } = await authority('root')
      const { tbs } = signingCertificate(credential)
      await refuses(certify(keyId, credential.keyId, tbs), 'the root has nothing left to sign')
    })

    it('certifies nothing by the key of a credential', async () => {
      const { tbs } = signingCertificate(credential)
      const why = 'a certificate by the key of a credential'
      await refuses(certify(credential.keyId, credential.keyId, tbs), why)
    })

    it('lets a key nobody has yet certify itself, once, and nothing else', async () => {
      const root = await authority('root')
      const { keyId, publicKey } = await rssp.services.custody.generate('p-384')
      const self = certificateFor(publicKey, root.certificate)
      const why = 'a certificate by a key of nobody'
      await refuses(certify(keyId, credential.keyId, signingCertificate(credential).tbs), why)
      await certify(keyId, keyId, self)
      await refuses(certify(keyId, keyId, self), why)
      await rssp.services.custody.destroy(keyId)
    })

    describe('and of services', () => {
      const CHAIN = { crl: certificateList(), 'ocsp-response': responseData() } as const

      function attest(
        name: string,
        kind: StatementKind,
        toBeSigned: Buffer,
        info: Buffer | null = null,
        algorithm = ECDSA,
      ): Promise<Buffer> {
        const { client } = rssp.services.keys
        assert.ok(client)
        return authority(name).then(({ keyId }) =>
          client.attest({ kind, keyId, toBeSigned, tstInfo: info, algorithm }),
        )
      }

      before(async () => {
        const { serviceKeys } = rssp.services
        await Promise.all([serviceKeys.open('ocsp'), serviceKeys.open('tsa')])
      })

      it('signs what each is for', async () => {
        const info = tstInfo(new Date())
        const tsa = await rssp.services.serviceKeys.open('tsa')
        const signed = await Promise.all(
          Array.from({ length: 20 }, () => tsa.sign(timestampAttributes(info), info)),
        )
        assert.equal(new Set(signed.map((each) => each.toString('hex'))).size, 20)
        const ocsp = await rssp.services.serviceKeys.open('ocsp')
        await ocsp.sign(CHAIN['ocsp-response'])
        for (const name of ['root', 'issuing']) {
          await attest(name, 'crl', CHAIN.crl, null, ECDSA_384)
        }
      })

      it('lets none sign what another is for', async () => {
        const info = tstInfo(new Date())
        const attributes = timestampAttributes(info)
        for (const [kind, allowed] of [
          ['crl', ['root', 'issuing']],
          ['ocsp-response', ['ocsp']],
          ['timestamp', ['tsa']],
        ] as const) {
          const text = kind === 'timestamp' ? attributes : CHAIN[kind]
          for (const name of ['root', 'issuing', 'ocsp', 'tsa']) {
            if ((allowed as readonly string[]).includes(name)) continue
            const asked = attest(name, kind, text, kind === 'timestamp' ? info : null)
            await refuses(asked, `a ${kind} by a key that is not for it`)
          }
        }
      })

      it('takes no statement for another', async () => {
        const info = tstInfo(new Date())
        const { tbs } = signingCertificate(credential)
        await refuses(attest('issuing', 'crl', tbs), 'what is no crl')
        await refuses(attest('issuing', 'crl', CHAIN['ocsp-response']), 'what is no crl')
        await refuses(attest('ocsp', 'ocsp-response', tbs), 'what is no ocsp-response')
        await refuses(attest('tsa', 'timestamp', tbs, info), 'what is no timestamp')
        const attributes = timestampAttributes(info)
        await refuses(attest('tsa', 'timestamp', attributes), 'what is no timestamp')
        const other = tstInfo(new Date(Date.now() - 5_000))
        await refuses(attest('tsa', 'timestamp', attributes, other), 'what is no timestamp')
      })

      it('signs no timestamp of another time, whatever the server says', async () => {
        for (const seconds of [-86_400, -61, 61]) {
          const info = tstInfo(new Date(Date.now() + seconds * 1000))
          const asked = attest('tsa', 'timestamp', timestampAttributes(info), info)
          await refuses(asked, 'a timestamp of another time')
        }
      })

      it('lets a key ask for a certificate of its own until it is somebody’s', async () => {
        const { client, custody } = rssp.services.keys
        assert.ok(client)
        const { keyId, publicKey } = await custody.generate('p-256')
        const subject = encodeName({ commonName: 'Eva' })
        await requestCertificate(custody, keyId, { subject, publicKey })
        const kind = 'certificate-request'
        const ask = (
          id: string,
          key: Buffer,
          toBeSigned = encodeRequestInfo({ subject, publicKey: key }),
        ) => client.attest({ kind, keyId: id, toBeSigned, tstInfo: null, algorithm: ECDSA })
        const other = signingCertificate(credential).publicKey
        await refuses(ask(keyId, other), 'a certificate-request for another key')
        const why = 'a certificate-request by a key that is not for it'
        await refuses(ask(credential.keyId, other), why)
        for (const name of ['root', 'issuing', 'ocsp', 'tsa']) {
          const { keyId: own, certificate } = await authority(name)
          await refuses(ask(own, certificate.publicKey), why)
        }
        const { tbs } = signingCertificate(credential)
        await refuses(ask(keyId, publicKey, tbs), 'what is no certificate-request')
        await refuses(ask('0'.repeat(32), publicKey), 'a certificate-request for another key')
        await custody.destroy(keyId)
      })

      it('signs no statement by the key of a credential, or of nobody', async () => {
        const { client } = rssp.services.keys
        assert.ok(client)
        const info = tstInfo(new Date())
        for (const keyId of [credential.keyId, '0'.repeat(32)]) {
          const asked = client.attest({
            ...({ kind: 'timestamp', keyId, tstInfo: info, algorithm: ECDSA } as const),
            toBeSigned: timestampAttributes(info),
          })
          await refuses(asked, 'a timestamp by a key that is not for it')
        }
      })

      it('certifies nothing with them, signs no digest, and destroys none', async () => {
        const { tbs } = signingCertificate(credential)
        for (const name of ['ocsp', 'tsa']) {
          const { keyId } = await authority(name)
          const why = 'a certificate by the key of a service'
          await refuses(certify(keyId, credential.keyId, tbs), why)
          const digests = [newDigest()]
          const bare = { keyId, digests, algorithm: ECDSA, operation: undefined }
          await assertRefused(bare, 'a signature without a reservation')
          await assert.rejects(rssp.services.keys.custody.destroy(keyId), /destroying a key in use/)
        }
      })
    })

    it('makes no second key under a name that is in use', async () => {
      const { client } = rssp.services.keys
      assert.ok(client)
      await assert.rejects(client.generate('p-256', credential.keyId), {
        message: 'The key process refuses: a second key of the same name',
      })
    })

    it('destroys no key that is in use, and any other', async () => {
      const { custody } = rssp.services
      const why = { message: 'The key process refuses: destroying a key in use' }
      await assert.rejects(custody.destroy(credential.keyId), why)
      await assert.rejects(custody.destroy((await authority('issuing')).keyId), why)
      const { keyId } = await custody.generate('p-256')
      await custody.destroy(keyId)
      assert.equal(await custody.publicKey(keyId), null)
      assert.notEqual(await custody.publicKey(credential.keyId), null)
    })
  })
})
