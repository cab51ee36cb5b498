/** Certificates of an authority of our own, for tests; made with openssl. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CertificateFiles {
  keyFile: string;
  certificateFile: string;
}

const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

const openssl = (parameters: string[]) => execFileSync('openssl', parameters, { stdio: 'ignore' });

/** In an empty folder. */
export function authorityIn(folder: string) {
  const file = (name: string) => join(folder, name);
  const caFile = file('authority.pem');
  openssl(['req', '-x509', ...key, '-days', '2', '-subj', '/CN=authority', '-keyout', file('ca.key'), '-out', caFile]);
  /** `names`: as subjectAltName has them, such as IP:127.0.0.1. `days` below 0: expired. */
  const certificate = (name: string, names: string, days = 2): CertificateFiles => {
    const [keyFile, certificateFile] = [file(`${name}.key`), file(`${name}.pem`)];
    writeFileSync(file(`${name}.ext`), `subjectAltName=${names}`);
    openssl(['req', ...key, '-subj', `/CN=${name}`, '-keyout', keyFile, '-out', file(`${name}.csr`)]);
    const signed = ['-CA', caFile, '-CAkey', file('ca.key'), '-CAcreateserial', '-days', String(days)];
    const out = ['-extfile', file(`${name}.ext`), '-out', certificateFile];
    openssl(['x509', '-req', '-in', file(`${name}.csr`), ...signed, ...out]);
    return { keyFile, certificateFile };
  };
  return { caFile, certificate };
}
