import { PDF } from '@libpdf/core'
import { SigningPki } from './support/signing-pki.js'
import { examine } from '../src/verification/examine.js'
import { Pades } from '../src/documents/pades/pades.js'
import { Cades } from '../src/documents/cades/cades.js'
import { HASH_ALGORITHMS } from '../src/keys/algorithms.js'
const pki = new SigningPki()
const pades = new Pades()
const cades = new Cades()
const algorithm = { scheme: 'ecdsa' as const, hash: HASH_ALGORITHMS.sha256 }
export const run = async (label: string, document: Buffer, contents: any[] = [], material: any = {certificates:[],crls:[],ocspResponses:[]}) => {
  const t = performance.now()
  const r = (await examine({ name: null, document, contents, anchors: [pki.root], material, now: new Date() })).report
  console.log(label, Math.round(performance.now()-t), 'ms', r.indication, r.document.format, r.findings.map(f=>f.code+':'+f.about), JSON.stringify(r.signatures.map(s=>[s.indication,s.subIndication,s.format,s.level,s.findings.map(f=>f.code+':'+f.about).join(' | '), s.coverage?.changes, s.bestSignatureTime,s.timestamps.map(s=>[s.kind,s.indication,s.subIndication,s.findings.map(f=>f.code)])])), JSON.stringify(r.timestamps.map(s=>[s.indication,s.subIndication,s.findings.map(f=>f.code+':'+f.about), s.chain.length])))
}
try {
  const signer = pki.signer('p-256')
  const pdf = PDF.create(); pdf.addPage({ size: 'a4' }); const doc = Buffer.from(await pdf.save())
  const sign = async (document: Buffer, extra: any = {}) => {
    const p = await pades.prepareDocument(document, { level: 'B-B', envelope: 'Revision', algorithm, signatory: signer, signingTime: new Date(), signedProperties: [{name:'Reason', value:'Because Ω'}], referenceUri: null, ...extra })
    return (await p.complete(signer.sign(p.toBeSigned, algorithm), pki)).bytes
  }
  const csign = async (document: Buffer, extra: any = {}) => {
    const p = await cades.prepareDocument(document, { level: 'B-B', envelope: 'Attached', algorithm, signatory: signer, signingTime: new Date(), signedProperties: [], referenceUri: null, ...extra })
    return (await p.complete(signer.sign(p.toBeSigned, algorithm), pki)).bytes
  }
  const data = await pki.validationData([signer.certificate])
  for (const level of ['B-B','B-T','B-LT','B-LTA']) await run('cades '+level, await csign(Buffer.from('hello'), {level}))
  await run('cades detached', await csign(Buffer.from('hello'), {level:'B-LTA', envelope:'Detached'}), [{name:null,bytes:Buffer.from('hello'),digests:new Map()}])
  await run('bb+data', await sign(doc), [], data)
  for (const level of ['B-B','B-T','B-LT','B-LTA']) await run(level, await sign(doc, {level}))
  let out = await sign(doc, {envelope: 'Certification', appearance: { rect: {x:50,y:600,width:200,height:60}, text: 'Unterschrieben von Jürgen'}})
  await run('cert', out)
  out = await sign(out)
  await run('cert+1', out)
  out = await sign(out, {level: 'B-LTA'})
  out = await sign(out, {level: 'B-LTA'})
  await run('all', out)
} finally { await pades.close(); pki.close() }
