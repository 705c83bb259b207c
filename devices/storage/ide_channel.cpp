#include "devices/storage/ide_channel.h"

#include "core/bitfield.h"

namespace lapwing {

namespace {

constexpr u8 kFloating = 0x7F;
constexpr u32 kFloatingData = 0xFF7FFF7F;
constexpr unsigned kDevBit = 4;

}  // namespace

IdeChannel::IdeChannel(IrqTrace& trace, PhysicalMemory& memory, const Wiring& wiring)
    : trace_(trace), wiring_(wiring), bus_master_(memory) {}

// Data would flood the trace, so the channel records register writes itself.
Result<void> IdeChannel::claim_ports(PortBus& ports) {
  const std::string name = wiring_.number == 0 ? "ide primary" : "ide secondary";
  Result<void> block = ports.claim(wiring_.command_base, ata::kCommandBlockPorts, *this, name, 4);
  return block.ok() ? ports.claim(wiring_.control_port, 1, *this, name, 1) : block;
}

IdeDevice* IdeChannel::answering() const {
  return selected() != nullptr ? selected() : devices_[0].get();
}

u8 IdeChannel::status() const {
  if (const IdeDevice* device = selected()) return device->status();
  return devices_[0] != nullptr ? u8{0} : kFloating;
}

u32 IdeChannel::port_read(u16 port, unsigned size) {
  if (!decoded_) return ~0u;
  if (is_data(port)) {
    if (selected() != nullptr) return selected()->read_data(size);
    return answering() != nullptr ? ~0u : kFloatingData;
  }
  u32 value = 0;
  for (unsigned i = 0; i < size; ++i) value |= u32{read_register(static_cast<u16>(port + i))} << (i * 8);
  return value;
}

u8 IdeChannel::read_register(u16 port) {
  if (port == wiring_.control_port) return status();
  const unsigned reg = port - wiring_.command_base;
  IdeDevice* device = answering();
  if (device == nullptr) return kFloating;
  if (reg == ata::kStatus) {
    const u8 value = status();
    if (selected() != nullptr) device->acknowledge_interrupt();
    return value;
  }
  const u8 value = device->read(reg, (control_ & ata::kHob) != 0);
  return reg == ata::kDevice ? with_bit(value, kDevBit, selected_ != 0) : value;
}

void IdeChannel::port_write(u16 port, u32 value, unsigned size) {
  if (!decoded_) return;
  if (is_data(port)) {
    if (selected() == nullptr) return;
    if (selected()->expects_packet()) note_write(port, value);
    return selected()->write_data(value, size);
  }
  for (unsigned i = 0; i < size; ++i)
    write_register(static_cast<u16>(port + i), static_cast<u8>(value >> (i * 8)));
}

void IdeChannel::note_write(u16 port, u32 value) {
  trace_.add(IrqEventKind::kRegisterWrite, DeviceId::kIde,
             {.line = port, .cpu = trace_.executing_cpu(), .data = value});
}

void IdeChannel::write_register(u16 port, u8 value) {
  note_write(port, value);
  if (port == wiring_.control_port) return write_control(value);
  control_ = static_cast<u8>(control_ & ~ata::kHob);
  const unsigned reg = port - wiring_.command_base;
  if (reg == ata::kCommand) return write_command(value);
  for (const auto& device : devices_) {
    if (device != nullptr) device->write(reg, value);
  }
  if (reg != ata::kDevice) return;
  selected_ = bit_of(value, kDevBit) ? 1 : 0;
  interrupt_changed();
}

void IdeChannel::write_command(u8 code) {
  if (code != ata::kDiagnostic) {
    if (selected() != nullptr) selected()->command(code);
    return;
  }
  selected_ = 0;
  for (unsigned i = 0; i < devices_.size(); ++i) {
    if (devices_[i] != nullptr) devices_[i]->diagnose(i == selected_);
  }
  interrupt_changed();
}

void IdeChannel::write_control(u8 value) {
  const bool was_reset = (control_ & ata::kSrst) != 0;
  const bool is_reset = (value & ata::kSrst) != 0;
  control_ = value;
  if (was_reset != is_reset) {
    selected_ = 0;
    for (const auto& device : devices_) {
      if (device != nullptr) device->software_reset(is_reset);
    }
  }
  interrupt_changed();
}

// INTRQ is driven by the selected device, unless nIEN releases it.
void IdeChannel::interrupt_changed() {
  const IdeDevice* device = selected();
  const bool level = device != nullptr && device->interrupt_pending() && (control_ & ata::kNien) == 0;
  if (level && !wiring_.irq.level()) bus_master_.interrupt();
  wiring_.irq.set(level);
}

std::size_t IdeChannel::dma(u8* data, std::size_t size, bool to_memory) {
  return bus_mastering_ ? bus_master_.transfer(data, size, to_memory) : 0;
}

void IdeChannel::kick() {
  if (bus_mastering_ && bus_master_.active() && selected() != nullptr) selected()->dma_ready();
}

void IdeChannel::write_bus_master(unsigned offset, u8 value) {
  bus_master_.write(offset, value);
  if (offset == BusMaster::kCommand) kick();
}

void IdeChannel::reset() {
  control_ = 0;
  selected_ = 0;
  bus_master_.reset();
  for (const auto& device : devices_) {
    if (device != nullptr) device->power_on();
  }
  interrupt_changed();
}

void IdeChannel::save(StateWriter& out) const {
  out.put_u8(selected_);
  out.put_u8(control_);
  wiring_.irq.save(out);
  bus_master_.save(out);
  for (const auto& device : devices_) {
    if (device != nullptr) device->save(out);
  }
}

bool IdeChannel::load(StateReader& in) {
  selected_ = in.get_u8();
  control_ = in.get_u8();
  wiring_.irq.load(in);
  if (!bus_master_.load(in) || selected_ > 1) return false;
  for (const auto& device : devices_) {
    if (device != nullptr && !device->load(in)) return false;
  }
  return in.ok();
}

}  // namespace lapwing
