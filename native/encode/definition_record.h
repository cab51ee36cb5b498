// A definition of the wire as the record that a replica keeps.
#pragma once

#include "book/replica.h"
#include "encode/wire_layout.h"

namespace depthcast::encode {

// Any thread; allocates. `definition` is one of a packet that was checked. The record counts as defined.
inline book::DefinitionRecord record_of(const wire::Definition& definition) {
  book::DefinitionRecord record;
  record.symbol = definition.symbol()->str();
  record.price_exponent = definition.price_exponent();
  record.quantity_exponent = definition.quantity_exponent();
  record.source_code = definition.source_code();
  record.lot_size = definition.lot_size();
  record.price_increment = definition.price_increment();
  record.price_low = definition.price_low();
  record.price_high = definition.price_high();
  if (definition.attributes() != nullptr) {
    record.attributes.assign(definition.attributes()->begin(), definition.attributes()->end());
  }
  record.defined = true;
  return record;
}

}  // namespace depthcast::encode
