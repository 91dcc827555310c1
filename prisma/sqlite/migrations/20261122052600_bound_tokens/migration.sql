-- AlterTable
ALTER TABLE "Transaction" ADD COLUMN "grantId" TEXT;

-- AlterTable
ALTER TABLE "Client" ADD COLUMN "dpopBoundAccessTokens" BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE "Client" ADD COLUMN "tlsClientCertificateBoundAccessTokens" BOOLEAN NOT NULL DEFAULT false;

-- CreateIndex
CREATE INDEX "Transaction_grantId_idx" ON "Transaction"("grantId");
