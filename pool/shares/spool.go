package shares

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
)

// spool keeps batches that the database did not take. One batch is one record:
//
//	┌ length, 4 bytes ┬ CRC-32C, 4 bytes ┬ length bytes of JSON ┐  big-endian
//
// A record is acknowledged when it was fsynced. A crash before that can leave a
// torn one, which is always the last: it was promised to nobody and is dropped.
type spool struct {
	path  string
	file  file  // nil while there is nothing to keep
	size  int64 // bytes of good records; what follows in the file is torn
	first int64 // seq of the first and the last share, 0 when it is empty
	last  int64
}

// file is an *os.File, as far as the spool uses it.
type file interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Close() error
}

const recordHeader = 8

// openSpool opens the spool at path, if there is one, and finds the end of its good records.
func openSpool(path string, logger *slog.Logger) (*spool, error) {
	s := &spool{path: path}

	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open spool: %w", err), file.Close())
	}

	s.file, s.size = file, info.Size()
	var good int64
	for good < s.size {
		record, next, err := s.read(good)
		if err != nil {
			logger.Warn("Torn end of the spool dropped", "bytes", s.size-good, "err", err)

			break
		}
		s.extend(record)
		good = next
	}
	s.size = good

	return s, nil
}

func (s *spool) empty() bool { return s.first == 0 }

// extend notes the shares of one more record.
func (s *spool) extend(record []entry) {
	if s.first == 0 {
		s.first = record[0].Seq
	}
	s.last = record[len(record)-1].Seq
}

// append adds a record and returns when it is on the disk. After an error the
// spool is what it was before.
func (s *spool) append(entries []entry) error {
	if len(entries) == 0 {
		return nil
	}

	payload, err := json.Marshal(entries)
	if err != nil {
		return fmt.Errorf("encode spool record: %w", err)
	}
	record := make([]byte, recordHeader, recordHeader+len(payload))
	binary.BigEndian.PutUint32(record, uint32(len(payload)))
	binary.BigEndian.PutUint32(record[4:], checksum(payload))
	record = append(record, payload...)

	if s.file == nil {
		if err := s.create(); err != nil {
			return fmt.Errorf("create spool: %w", err)
		}
	}
	if _, err := s.file.WriteAt(record, s.size); err != nil {
		return errors.Join(fmt.Errorf("write spool: %w", err), s.takeBack())
	}
	if err := s.file.Sync(); err != nil {
		return errors.Join(fmt.Errorf("sync spool: %w", err), s.takeBack())
	}
	s.size += int64(len(record))
	s.extend(entries)

	return nil
}

// takeBack cuts off what a failed append has written. It may be a whole record, and
// the next start would store its shares, which their miners were told are lost and
// have sent again.
func (s *spool) takeBack() error {
	if err := errors.Join(s.file.Truncate(s.size), s.file.Sync()); err != nil {
		return fmt.Errorf("take back spool record: %w", err)
	}

	return nil
}

// create makes the file and its name durable.
func (s *spool) create() error {
	file, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(s.path))
	if err != nil {
		return errors.Join(err, file.Close())
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return errors.Join(err, file.Close())
	}
	s.file = file

	return nil
}

// records yields the records in order. It ends with an error when one cannot be read.
func (s *spool) records() iter.Seq2[[]entry, error] {
	return func(yield func([]entry, error) bool) {
		for offset := int64(0); offset < s.size; {
			record, next, err := s.read(offset)
			if !yield(record, err) || err != nil {
				return
			}
			offset = next
		}
	}
}

// read reads the record at offset and returns the offset of the next one.
func (s *spool) read(offset int64) (record []entry, next int64, err error) {
	var header [recordHeader]byte
	if _, err := s.file.ReadAt(header[:], offset); err != nil {
		return nil, 0, fmt.Errorf("read record header: %w", err)
	}
	next = offset + recordHeader + int64(binary.BigEndian.Uint32(header[:]))
	if next > s.size {
		return nil, 0, errors.New("record is cut off")
	}

	payload := make([]byte, next-offset-recordHeader)
	if _, err := s.file.ReadAt(payload, offset+recordHeader); err != nil {
		return nil, 0, fmt.Errorf("read record: %w", err)
	}
	if checksum(payload) != binary.BigEndian.Uint32(header[4:]) {
		return nil, 0, errors.New("record has a wrong checksum")
	}
	if err := json.Unmarshal(payload, &record); err != nil {
		return nil, 0, fmt.Errorf("decode record: %w", err)
	}
	if len(record) == 0 {
		return nil, 0, errors.New("record is empty")
	}

	return record, next, nil
}

func checksum(payload []byte) uint32 {
	return crc32.Checksum(payload, crc32.MakeTable(crc32.Castagnoli))
}

// clear removes the file. Should it come back after a power cut, its shares are found to be stored already.
func (s *spool) clear() error {
	file := s.file
	*s = spool{path: s.path}

	if err := errors.Join(file.Close(), os.Remove(s.path)); err != nil {
		return fmt.Errorf("remove spool: %w", err)
	}

	return nil
}

// close closes the file and leaves its records for the next start.
func (s *spool) close() error {
	if s.file == nil {
		return nil
	}

	return s.file.Close()
}
