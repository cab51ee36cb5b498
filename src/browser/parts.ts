/** The parts that the client is made of, for tests and for those who bring the bytes themselves. */
export { Book, type BookLimits } from './book.js';
export { crc32c } from './crc32c.js';
export { FrameReader, type FrameStatus } from './frame_reader.js';
export { applyFiltered, applyPacket, learnPacket } from './packet_applier.js';
export { PacketReader, type PacketStatus } from './packet_reader.js';
export { Replica } from './replica.js';
export { SnapshotAssembler } from './snapshot_assembler.js';
